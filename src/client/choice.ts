import type { Candidate } from './candidate.ts';
import { costOf, isFull, neighbourOf, regionOf } from './score.ts';
import type { Preferences } from './score.ts';

/** A relay that costs this much more than another is much slower: no wish for another region or network is worth that. */
const MUCH = 4;

/** Clients that see the same figures must not all choose the same relay. */
const FUZZ = 0.3;

/** A move costs every peer that knows the old address a look-up, so what makes one must be worth it, and not chance. */
const CLEARLY_FACTOR = 2;
const CLEARLY_MS = 30;

export interface ChoiceState extends Preferences {
  readonly nowMs: number;
  readonly random: () => number;
}

/**
 * What comes before cost, the weightiest first; the lower, the better. The first number is never given up for speed: a relay
 * that is full, or in an avoided region, or that discovery found where the operator named others, comes after those.
 */
export function standing(candidate: Candidate, taken: readonly Candidate[], state: ChoiceState): [tier: number, other: number, near: number, sameRegion: number] {
  const region = regionOf(candidate);
  const avoided = region !== undefined && state.avoid.includes(region);
  const tier = (isFull(candidate, state.nowMs) ? 4 : 0) + (avoided ? 2 : 0) + (candidate.source === 'manual' ? 0 : 1);
  const preferred = state.prefer.length === 0 || (region !== undefined && state.prefer.includes(region));
  const sameRegion = region !== undefined && taken.some((other) => other !== candidate && regionOf(other) === region);
  return [tier, Number(!preferred), Number(neighbourOf(candidate, taken) !== undefined), Number(sameRegion)];
}

/**
 * Those of `pool` that are worth choosing beside `taken`, the cheapest first: of the best tier; of a preferred region, another
 * network and another region than `taken`, wherever such are not much slower; and none that is much slower than the best.
 */
export function reasonable(pool: readonly Candidate[], taken: readonly Candidate[], state: ChoiceState): Candidate[] {
  let left = pool.map((candidate) => ({ candidate, cost: costOf(candidate, state.nowMs), standing: standing(candidate, taken, state) }));
  left.sort((a, b) => a.cost - b.cost);
  for (const [i, limit] of [Infinity, MUCH, MUCH, MUCH].entries()) {
    const best = Math.min(...left.map((entry) => entry.standing[i] ?? 0));
    const better = left.filter((entry) => entry.standing[i] === best);
    if ((better[0]?.cost ?? 0) <= (left[0]?.cost ?? 0) * limit) left = better;
  }
  const most = (left[0]?.cost ?? 0) * MUCH;
  return left.filter(({ cost }) => cost <= most).map(({ candidate }) => candidate);
}

/** One of `pool`: two are drawn, cheap ones more often, and the better of them is taken, so that clients spread over what is good. */
export function chooseOne(pool: readonly Candidate[], taken: readonly Candidate[], state: ChoiceState): Candidate | undefined {
  const worth = reasonable(pool, taken, state);
  const [one, two] = [draw(worth, state), draw(worth, state)];
  if (one === undefined || two === undefined) {
    return undefined;
  }
  const fuzzed = (candidate: Candidate): number => costOf(candidate, state.nowMs) * (1 + FUZZ * state.random());
  return fuzzed(one) <= fuzzed(two) ? one : two;
}

function draw(pool: readonly Candidate[], { nowMs, random }: ChoiceState): Candidate | undefined {
  const weights = pool.map((candidate) => 1 / costOf(candidate, nowMs));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return pool.find((_candidate, i) => (left -= weights[i] ?? 0) < 0) ?? pool.at(-1);
}

/** The best first, each judged beside those before it. */
export function arranged(pool: readonly Candidate[], taken: readonly Candidate[], state: ChoiceState): Candidate[] {
  const order: Candidate[] = [];
  let left = [...pool];
  while (left.length > 0) {
    const next = reasonable(left, [...taken, ...order], state)[0];
    if (next === undefined) break;
    order.push(next);
    left = left.filter((candidate) => candidate !== next);
  }
  return order;
}

/** Whether `one` is better than `other`, beside `others`, by so much that a change is worth it. What is chosen so is never left for the other again by chance. */
export function clearlyBetter(one: Candidate, other: Candidate, others: readonly Candidate[], state: ChoiceState): boolean {
  const [a, b] = [standing(one, others, state), standing(other, others, state)];
  if (a[0] !== b[0]) {
    return a[0] < b[0];
  }
  const at = a.findIndex((value, i) => value !== b[i]);
  const [cost, otherCost] = [costOf(one, state.nowMs), costOf(other, state.nowMs)];
  if (at !== -1 && (a[at] ?? 0) < (b[at] ?? 0)) {
    return cost * CLEARLY_FACTOR <= otherCost * MUCH;
  }
  return otherCost - cost >= CLEARLY_MS && otherCost >= cost * (at === -1 ? CLEARLY_FACTOR : MUCH * CLEARLY_FACTOR);
}
