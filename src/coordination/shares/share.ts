import { CONTENDED_MS } from './recalls.ts';
import { Pool } from './pool.ts';
import type { HoldOp, HoldResult } from './messages.ts';

/** Places that nobody uses go back after this time: soon enough for others, late enough for who comes and goes. */
const IDLE_MS = 2_000;

/** Places of one key: those that were lent to this relay, and those of them that are taken. */
export class Share extends Pool {
  /** The limit over the cluster, as who asked last has it. */
  maximum: number;
  /** Lent to this relay, as far as it knows: the lender counts at least as many. */
  #granted = 0;
  /** Held. More than was granted where this relay had to decide alone. */
  #used = 0;
  /** Taken for requests that still wait for another key. */
  #pending = 0;
  #contendedUntil = -Infinity;
  #changedAt = -Infinity;

  constructor(key: string, owner: string, maximum: number) {
    super(key, owner);
    this.maximum = maximum;
  }

  get free(): number {
    return this.#granted - this.taken;
  }

  get taken(): number {
    return this.#used + this.#pending;
  }

  get granted(): number {
    return this.#granted;
  }

  get isEmpty(): boolean {
    return this.isQuiet && this.#granted === 0 && this.taken === 0;
  }

  protected takeOne(): void {
    this.#pending++;
  }

  /** One more than was granted. */
  takeAlone(): void {
    this.#pending++;
  }

  /** A place that was taken is held from now on. */
  keep(): void {
    this.#pending--;
    this.#used++;
  }

  /** A place that was taken is not needed. */
  putBack(nowMs: number): void {
    this.#pending--;
    this.#changedAt = nowMs;
  }

  /** A place that was held is not any more. */
  release(nowMs: number): void {
    this.#used = Math.max(0, this.#used - 1);
    this.#changedAt = nowMs;
  }

  restate(used: number, nowMs: number): void {
    if (used !== this.#used) this.#changedAt = nowMs;
    this.#used = used;
  }

  isContended(nowMs: number): boolean {
    return nowMs < this.#contendedUntil;
  }

  /** Others want places: what is not used goes back at once. */
  contend(nowMs: number): void {
    this.#contendedUntil = nowMs + CONTENDED_MS;
  }

  /**
   * What the lender is to be told now, and counts as told; `undefined` for nothing.
   *
   * @param isOwn this relay is the lender itself: nothing is kept that is not used
   */
  nextOp(nowMs: number, isOwn: boolean): HoldOp | undefined {
    const isContended = isOwn || this.isContended(nowMs);
    const claim = Math.max(0, -this.free);
    const give = this.isSpare && (isContended || nowMs - this.#changedAt >= IDLE_MS) ? this.free : 0;
    this.#granted += claim - give;
    const { want, extra } = this.ask(nowMs, !isContended);
    return want + claim + give === 0 ? undefined : { key: this.key, maximum: this.maximum, want, extra, give, claim };
  }

  /** What the lender says of all that is held: nothing is owed or over afterwards. */
  report(): number {
    this.#granted = Math.max(this.#granted, this.taken);
    return this.#granted;
  }

  /** There are places that nobody uses or waits for. */
  get isSpare(): boolean {
    return this.free > 0 && this.waiting === 0;
  }

  take(result: HoldResult, nowMs: number): void {
    this.#granted += result.granted;
    if (result.granted > 0) this.#changedAt = nowMs;
    if (result.contended) this.contend(nowMs);
  }
}
