import type { ClassLimits } from '../config/domain.ts';
import { Counts } from '../lib/counts.ts';
import { LIMIT_CLASSES } from './classes.ts';
import type { LimitClass } from './classes.ts';
import { Refused } from './refusal.ts';

interface Pool {
  total: number;
  pending: number;
  readonly perSource: Counts;
  readonly perTarget: Counts;
}

/** A place for one circuit, held from admission until the circuit is over. Both calls may be repeated. */
export interface CircuitSlot {
  /** The target has answered: the circuit no longer counts as pending. */
  established(): void;
  release(): void;
}

/** Counts circuits against the limits of their class: all, per source, per target, and those still being set up. */
export class CircuitSlots {
  readonly #pools: Record<LimitClass, Pool>;

  constructor() {
    const pools = LIMIT_CLASSES.map((name) => [name, { total: 0, pending: 0, perSource: new Counts(), perTarget: new Counts() }] as const);
    this.#pools = Object.fromEntries(pools) as Record<LimitClass, Pool>;
  }

  count(limitClass: LimitClass): number {
    return this.#pools[limitClass].total;
  }

  /**
   * A peer of another relay's is counted there, and not given here.
   *
   * @throws Refused; nothing has changed then
   */
  take(limitClass: LimitClass, source: string | undefined, target: string | undefined, limits: ClassLimits['circuits']): CircuitSlot {
    const pool = this.#pools[limitClass];
    check('circuits.max', pool.total, limits.max);
    const [sources, targets] = [listOf(source), listOf(target)];
    check('circuits.perSource', pool.perSource.highest(sources), limits.perSource);
    check('circuits.perTarget', pool.perTarget.highest(targets), limits.perTarget);
    check('circuits.pending', pool.pending, limits.pending);
    pool.total++;
    pool.pending++;
    pool.perSource.add(...sources);
    pool.perTarget.add(...targets);
    return makeSlot(pool, sources, targets);
  }
}

function check(limit: 'circuits.max' | 'circuits.perSource' | 'circuits.perTarget' | 'circuits.pending', current: number, maximum: number): void {
  if (current >= maximum) {
    throw new Refused(limit, { current, maximum });
  }
}

function listOf(peer: string | undefined): string[] {
  return peer === undefined ? [] : [peer];
}

function makeSlot(pool: Pool, sources: readonly string[], targets: readonly string[]): CircuitSlot {
  let pending = true;
  let held = true;
  const established = (): void => {
    if (pending) pool.pending--;
    pending = false;
  };
  const release = (): void => {
    established();
    if (!held) return;
    held = false;
    pool.total--;
    pool.perSource.remove(...sources);
    pool.perTarget.remove(...targets);
  };
  return { established, release };
}
