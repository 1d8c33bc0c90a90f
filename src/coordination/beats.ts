import type { Clock, TimerHandle } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { BEAT_EVERY_MS, LEASE_MS } from './backend.ts';
import type { Registry } from './backend.ts';
import type { OwnRecord } from './own-record.ts';

export interface BeatsOptions {
  readonly registry: Pick<Registry, 'beat' | 'problem'>;
  readonly record: Pick<OwnRecord, 'sealed'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of each beat, whether it got through; the next one waits until this is done. Never rejects. */
  readonly onBeat: (ok: boolean) => Promise<void>;
  readonly onFenced: () => void;
}

/** A beat that takes longer is lost; a later one may get through. */
const DEADLINE_MS = LEASE_MS;

/** Says at every beat that this relay is alive, one at a time. */
export class Beats {
  readonly #o: BeatsOptions;
  #stopped = new AbortController();
  #timer: TimerHandle | undefined;
  #beating: Promise<void> | undefined;
  #problem: string | undefined = 'this relay has not been told to the cluster yet';

  constructor(options: BeatsOptions) {
    this.#o = options;
    this.#stopped.abort();
  }

  /** Why the last one failed. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves with the first beat, whatever becomes of it. */
  async start(): Promise<void> {
    this.#stopped = new AbortController();
    this.#beatIn(BEAT_EVERY_MS);
    await this.#beatNow();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopped.abort(new RelaydError('CLOSED', 'the relay is stopping'));
    await this.#beating;
  }

  /** The next one is due now. */
  hurry(): void {
    this.#beatIn(0);
  }

  #beatIn(ms: number): void {
    this.#timer?.cancel();
    if (this.#stopped.signal.aborted) return;
    this.#timer = this.#o.clock.setTimer(() => {
      this.#beatIn(BEAT_EVERY_MS);
      void this.#beatNow();
    }, ms);
  }

  #beatNow(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    return this.#beating;
  }

  /** Never rejects. */
  async #beat(): Promise<void> {
    const { registry, record, clock, onBeat } = this.#o;
    try {
      const sealed = await record.sealed();
      await withDeadline(DEADLINE_MS, clock, [this.#stopped.signal], () => registry.beat(sealed));
      this.#problem = undefined;
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#stopped.signal.aborted) await onBeat(this.#problem === undefined);
  }

  #failed(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    // A store that is away has been told of already.
    const isNews = this.#problem === undefined && this.#o.registry.problem === undefined;
    this.#problem = errorMessage(error);
    this.#o.log[isNews ? 'warn' : 'debug']({ error: this.#problem }, 'the cluster could not be told that this relay is alive');
    if (error instanceof RelaydError && error.code === 'FENCED') this.#o.onFenced();
  }
}
