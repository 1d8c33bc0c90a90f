import type { Lease } from './lease.ts';
import type { Share } from './share.ts';

/** What is to be said to one lender. */
export interface Tray {
  readonly due: Set<Share | Lease>;
  /** Others are asked first whether they need what they have: the lender may take its time. */
  readonly patient: Set<Share | Lease>;
  isScheduled: boolean;
}

/** What is to be said to each lender: what comes in the same turn goes in the same message. */
export class Trays {
  readonly #trays = new Map<string, Tray>();
  readonly #flush: (owner: string, tray: Tray, isUrgent: boolean) => void;

  constructor(flush: (owner: string, tray: Tray, isUrgent: boolean) => void) {
    this.#flush = flush;
  }

  add(pool: Share | Lease, kind: 'due' | 'patient' = 'due'): void {
    const tray = this.#tray(pool.owner);
    tray[kind].add(pool);
    this.#schedule(pool.owner, tray);
  }

  /** `owner` can be told more. */
  ready(owner: string): void {
    const tray = this.#trays.get(owner);
    if (tray !== undefined) this.#schedule(owner, tray);
  }

  /** Says it now. */
  flush(owner: string, isUrgent: boolean): void {
    const tray = this.#trays.get(owner);
    if (tray === undefined) return;
    this.#flush(owner, tray, isUrgent);
    if (tray.due.size + tray.patient.size === 0 && !tray.isScheduled) this.#trays.delete(owner);
  }

  clear(): void {
    this.#trays.clear();
  }

  #tray(owner: string): Tray {
    const tray = this.#trays.get(owner) ?? { due: new Set(), patient: new Set(), isScheduled: false };
    this.#trays.set(owner, tray);
    return tray;
  }

  #schedule(owner: string, tray: Tray): void {
    if (tray.isScheduled) return;
    tray.isScheduled = true;
    queueMicrotask(() => {
      tray.isScheduled = false;
      this.flush(owner, false);
    });
  }
}
