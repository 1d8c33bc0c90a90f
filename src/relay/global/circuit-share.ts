import type { ClusterPermit, QuotaClaim } from '../../lib/cluster/relay-cluster.ts';
import { msUntilWindowEnd } from '../../lib/cluster/quota-window.ts';
import type { TimerHandle } from '../../lib/clock.ts';
import type { Circuit } from '../circuit.ts';
import type { CircuitSlot } from '../circuit-slots.ts';
import { Refused } from '../refusal.ts';
import type { GlobalLimits } from './global-limits.ts';

/** Bytes move too often to tell each time: the cluster hears of them when there are so many, */
const TELL_BYTES = 64 * 1024;

/** or so long after the first of them. */
const TELL_AFTER_MS = 100;

type Counted = Pick<GlobalLimits, 'cluster' | 'clock' | 'use'>;

/** What one circuit takes of the cluster's limits, from its admission until its end. */
export class CircuitShare {
  readonly #global: Counted;
  readonly #permit: ClusterPermit | undefined;
  #quotas: readonly QuotaClaim[];
  #circuit: Circuit | undefined;
  #untoldBytes = 0;
  #timer: TimerHandle | undefined;
  #usedUp: QuotaClaim | undefined;
  #over = false;

  /**
   * @param permit none where only bytes are counted
   * @param quotas what its bytes count for
   */
  constructor(global: Counted, permit: ClusterPermit | undefined, quotas: readonly QuotaClaim[]) {
    this.#global = global;
    this.#permit = permit;
    this.#quotas = quotas;
    global.use.add(this, quotas);
  }

  /** The circuit has handed bytes on. */
  readonly moved = (bytes: number): void => {
    if (this.#quotas.length === 0) {
      return;
    }
    this.#untoldBytes += bytes;
    // Those that were on their way when the circuit ended have no timer left.
    if (this.#over || this.#untoldBytes >= TELL_BYTES) this.#tell();
    else this.#timer ??= this.#global.clock.setCoarseTimer(() => this.#tell(), TELL_AFTER_MS);
  };

  /** @throws Refused when one of its quotas has been used up since it was admitted */
  assertLasts(): void {
    if (this.#usedUp !== undefined) {
      const { limit, quota } = this.#usedUp;
      throw new Refused(`cluster.${limit}`, { current: quota.bytes, maximum: quota.bytes, retryAfterMs: msUntilWindowEnd(quota.per, this.#global.clock.wall()) });
    }
  }

  /** The circuit's bytes count for this quota at another relay. */
  countsElsewhere(key: string): void {
    const isElsewhere = (claim: QuotaClaim): boolean => claim.key === key;
    this.#global.use.remove(this, this.#quotas.filter(isElsewhere));
    this.#quotas = this.#quotas.filter((claim) => !isElsewhere(claim));
  }

  /** This is the circuit: it ends when one of its quotas is used up. */
  carriedBy(circuit: Circuit): void {
    this.#circuit = circuit;
  }

  usedUp(key: string): void {
    this.#usedUp ??= this.#quotas.find((claim) => claim.key === key);
    this.#circuit?.end('quota');
  }

  /** `slot`, and with it this share: both last as long as the circuit. */
  with(slot: CircuitSlot): CircuitSlot {
    const release = (): void => {
      slot.release();
      this.release();
    };
    return { established: () => slot.established(), release };
  }

  /** Gives everything back and tells the last bytes; may be repeated. */
  release(): void {
    this.#over = true;
    this.#tell();
    this.#global.use.remove(this, this.#quotas);
    this.#permit?.release();
  }

  #tell(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const bytes = this.#untoldBytes;
    this.#untoldBytes = 0;
    // It may end this circuit at once.
    if (bytes > 0) this.#global.cluster.moved(this.#quotas, bytes);
  }
}
