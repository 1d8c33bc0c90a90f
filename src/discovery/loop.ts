import type { TimerHandle } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { PartOptions } from './parts.ts';

export interface LoopOptions extends Omit<PartOptions, 'metrics'> {
  /** What is done, for the log. */
  readonly name: string;
  /** Rejects when it is to be tried again soon. It heeds the signal, which aborts on stop. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** Until the next time, after it went well. */
  readonly intervalMs: () => number;
}

/** After a failure, doubled with each up to this or the interval: a peer or a server that was away for a moment is met again soon, one that is gone costs little. */
const RETRY_BASE_MS = 5_000;
const RETRY_CAP_MS = 300_000;

/** However often it is hurried, it is not begun more often than this. */
const MIN_GAP_MS = 5_000;

interface Run {
  readonly stopped: AbortController;
  busy: boolean;
  hurried: boolean;
  failures: number;
  beganAt: number;
  timer: TimerHandle | undefined;
}

/** Does something at the start and again and again, one time at a time: with jitter, sooner after a failure, at once when hurried. */
export class Loop {
  readonly #o: LoopOptions;
  #run: Run | undefined;

  constructor(options: LoopOptions) {
    this.#o = options;
  }

  start(): void {
    if (this.#run === undefined) {
      this.#run = { stopped: new AbortController(), busy: false, hurried: false, failures: 0, beganAt: -Infinity, timer: undefined };
      void this.#turn(this.#run);
    }
  }

  stop(): void {
    this.#run?.stopped.abort(new RelaydError('CLOSED', 'the node is stopping'));
    this.#run?.timer?.cancel();
    this.#run = undefined;
  }

  /** Not at its time but now, or as soon as {@link MIN_GAP_MS} allows; when it is under way, once more behind that. */
  hurry(): void {
    const run = this.#run;
    if (run === undefined) {
      return;
    }
    run.hurried = run.busy;
    if (!run.busy) this.#arm(run, 0);
  }

  async #turn(run: Run): Promise<void> {
    run.busy = true;
    run.hurried = false;
    run.beganAt = this.#o.clock.now();
    const waitMs = await this.#once(run);
    run.busy = false;
    if (!run.stopped.signal.aborted) {
      this.#arm(run, run.hurried ? 0 : waitMs);
    }
  }

  /** @returns how long to wait then */
  async #once(run: Run): Promise<number> {
    const { name, work, intervalMs, random, log } = this.#o;
    try {
      await work(run.stopped.signal);
      run.failures = 0;
      return intervalMs() * (0.9 + 0.2 * random());
    } catch (error) {
      run.failures += 1;
      const window = Math.min(RETRY_CAP_MS, intervalMs(), RETRY_BASE_MS * 2 ** Math.min(run.failures - 1, 30));
      const waitMs = window * (0.5 + 0.5 * random());
      if (!run.stopped.signal.aborted) log.debug({ work: name, failures: run.failures, retryInMs: Math.round(waitMs), error: errorMessage(error) }, 'discovery: tried in vain');
      return waitMs;
    }
  }

  #arm(run: Run, waitMs: number): void {
    const { clock } = this.#o;
    run.timer?.cancel();
    run.timer = clock.setTimer(() => void this.#turn(run), Math.max(waitMs, run.beganAt + MIN_GAP_MS - clock.now()));
  }
}
