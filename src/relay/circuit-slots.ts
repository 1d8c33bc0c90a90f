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

  /** @throws Refused; nothing has changed then */
  take(limitClass: LimitClass, source: string, target: string, limits: ClassLimits['circuits']): CircuitSlot {
    const pool = this.#pools[limitClass];
    check('circuits.max', pool.total, limits.max);
    check('circuits.perSource', pool.perSource.of(source), limits.perSource);
    check('circuits.perTarget', pool.perTarget.of(target), limits.perTarget);
    check('circuits.pending', pool.pending, limits.pending);
    pool.total++;
    pool.pending++;
    pool.perSource.add(source);
    pool.perTarget.add(target);
    return makeSlot(pool, source, target);
  }
}

function check(limit: 'circuits.max' | 'circuits.perSource' | 'circuits.perTarget' | 'circuits.pending', current: number, maximum: number): void {
  if (current >= maximum) {
    throw new Refused(limit, { current, maximum });
  }
}

function makeSlot(pool: Pool, source: string, target: string): CircuitSlot {
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
    pool.perSource.remove(source);
    pool.perTarget.remove(target);
  };
  return { established, release };
}
