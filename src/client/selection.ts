import type { Candidate } from './candidate.ts';
import { arranged, chooseOne, clearlyBetter, reasonable, standing } from './choice.ts';
import type { ChoiceState } from './choice.ts';

/** An attempt that takes longer than this no longer counts as one that will succeed: another is begun beside it. */
export const HEDGE_MS = 1_000;

export interface SelectionState extends ChoiceState {
  readonly desired: number;
  /** What is held beyond need is kept until then: a relay that was late to answer may be so again. */
  readonly calmAt: number;
}

/** The relays to try now. */
export function chooseAttempts(candidates: Iterable<Candidate>, state: SelectionState): Candidate[] {
  const all = [...candidates];
  const eligible = all.filter((candidate) => isEligible(candidate, state.nowMs));
  const taken = all.filter((candidate) => candidate.held !== undefined || candidate.attemptAt !== undefined);
  // The operator's own relays take the place of others, so for them only such ones count as held.
  const named = eligible.filter((candidate) => isNamed(candidate, state));
  const first = choose(named, taken, state.desired - expected(all, state.nowMs, (candidate) => isNamed(candidate, state)), state);
  const rest = eligible.filter((candidate) => !first.includes(candidate));
  const still = state.desired - expected(all, state.nowMs) - first.length;
  return [...first, ...choose(rest, [...taken, ...first], still, state)];
}

/** Manual, and neither full nor in an avoided region: those come after what was found. */
function isNamed(candidate: Candidate, state: SelectionState): boolean {
  return standing(candidate, [], state)[0] === 0;
}

function choose(pool: readonly Candidate[], taken: readonly Candidate[], count: number, state: SelectionState): Candidate[] {
  const chosen: Candidate[] = [];
  while (chosen.length < count) {
    const left = pool.filter((candidate) => !chosen.includes(candidate));
    const beside = [...taken, ...chosen];
    // The one in reserve was drawn before, and is connected.
    const next = reasonable(left, beside, state).find((candidate) => candidate.standby !== undefined) ?? chooseOne(left, beside, state);
    if (next === undefined) break;
    chosen.push(next);
  }
  return chosen;
}

/** The relays held beyond need, to be let go: those no longer listed once others are held, then the worst. */
export function chooseReleases(candidates: Iterable<Candidate>, state: SelectionState): Candidate[] {
  const all = [...candidates];
  const held = all.filter((candidate) => candidate.held !== undefined);
  if (state.desired === 0) {
    return held;
  }
  const solid = held.filter((candidate) => candidate.listed && candidate.isSolid);
  const enough = solid.length >= Math.min(state.desired, all.filter((candidate) => candidate.listed).length);
  const unlisted = enough ? held.filter((candidate) => !candidate.listed) : [];
  const surplus = solid.length > state.desired && state.calmAt <= state.nowMs ? arranged(solid, [], state).slice(state.desired) : [];
  return [...unlisted, ...surplus];
}

/** A relay that is clearly better than the worst one held, to be reserved beside it; `undefined` when there is none, or nothing is settled. */
export function chooseMove(candidates: Iterable<Candidate>, state: SelectionState): Candidate | undefined {
  const all = [...candidates];
  const held = all.filter((candidate) => candidate.held !== undefined);
  const settled = held.length === state.desired && held.every((candidate) => candidate.isSolid) && all.every((candidate) => candidate.attemptAt === undefined);
  const worst = settled ? arranged(held, [], state).at(-1) : undefined;
  if (worst === undefined) {
    return undefined;
  }
  const others = held.filter((candidate) => candidate !== worst);
  const measured = all.filter((candidate) => candidate.rttMs !== undefined && isEligible(candidate, state.nowMs));
  const best = reasonable(measured, others, state)[0];
  return best !== undefined && clearlyBetter(best, worst, others, state) ? best : undefined;
}

/** The relay to keep connected and in reserve; the one that is, unless another is clearly better. `undefined` when there is nobody. */
export function chooseStandby(candidates: Iterable<Candidate>, state: SelectionState): Candidate | undefined {
  const all = [...candidates];
  const held = all.filter((candidate) => candidate.held !== undefined);
  const eligible = all.filter((candidate) => isEligible(candidate, state.nowMs) && !candidate.parting);
  const now = eligible.find((candidate) => candidate.standby !== undefined);
  if (now === undefined) {
    return chooseOne(eligible, held, state);
  }
  const best = reasonable(eligible, held, state)[0];
  return best !== undefined && clearlyBetter(best, now, held, state) ? best : now;
}

/** It may be tried now. */
export function isEligible(candidate: Candidate, nowMs: number): boolean {
  const free = candidate.held === undefined && candidate.attemptAt === undefined;
  return candidate.listed && free && candidate.draining === undefined && candidate.retryAt <= nowMs;
}

/** Relays that are held, or are about to be. */
export function expected(candidates: readonly Candidate[], nowMs: number, counts: (candidate: Candidate) => boolean = () => true): number {
  const counted = candidates.filter((candidate) => candidate.listed && counts(candidate));
  return counted.filter((candidate) => candidate.isSolid || isUnderWay(candidate, nowMs)).length;
}

function isUnderWay(candidate: Candidate, nowMs: number): boolean {
  return candidate.attemptAt !== undefined && nowMs - candidate.attemptAt < HEDGE_MS;
}
