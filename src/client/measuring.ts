import type { Connection } from '@libp2p/interface';
import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';
import { Survey } from './survey.ts';

/** Round-trip times of relays that are not held are measured anew this often. */
const SURVEY_INTERVAL_MS = 10 * 60_000;

interface MeasuringOptions {
  context: ClientContext;
  desired: () => number;
  /** Fetches what the relay says of itself over the connection; never throws. */
  ask: (candidate: Candidate, connection: Connection) => Promise<void>;
  onUnreachable: (candidate: Candidate, error: unknown) => void;
  /** A round of measurements begins, and ends. */
  onRound: () => void;
  onSettled: () => void;
}

/** Measures relays that are not held, where there is a choice among relays: each when it is new, and all of them again and again. */
export class Measuring {
  readonly #o: MeasuringOptions;
  readonly #survey: Survey;
  #roundAt = 0;
  #nextRoundAt = 0;

  constructor(options: MeasuringOptions) {
    this.#o = options;
    this.#survey = new Survey({
      clock: options.context.clock,
      measure: (candidate) => this.#measure(candidate),
      onMeasured: (candidate, rttMs) => this.#measured(candidate, rttMs),
      onFailed: options.onUnreachable,
      onSettled: options.onSettled,
    });
  }

  /** True while a choice had better wait for the measurements under way. */
  get open(): boolean {
    return this.#survey.open;
  }

  /** On the monotonic clock. */
  get nextRoundAt(): number {
    return this.#nextRoundAt;
  }

  isMeasuring(candidate: Candidate): boolean {
    return this.#survey.isMeasuring(candidate);
  }

  start(): void {
    this.#nextRoundAt = this.#o.context.clock.now();
  }

  stop(): void {
    this.#survey.stop();
    this.#nextRoundAt = 0;
  }

  /** Measures what is to be measured now. */
  run(nowMs: number): void {
    const listed = [...this.#o.context.candidates].filter((candidate) => candidate.listed);
    if (listed.length <= this.#o.desired() || this.#o.desired() === 0) {
      return;
    }
    if (this.#nextRoundAt <= nowMs) {
      this.#roundAt = nowMs;
      this.#nextRoundAt = nowMs + SURVEY_INTERVAL_MS * (0.9 + 0.2 * this.#o.context.random());
      this.#o.onRound();
    }
    const free = listed.filter((candidate) => candidate.held === undefined && candidate.attemptAt === undefined && candidate.retryAt <= nowMs);
    this.#survey.begin(free.filter((candidate) => candidate.draining === undefined && candidate.measuredAt < this.#roundAt));
  }

  async #measure(candidate: Candidate): Promise<number> {
    const { access, signal } = this.#o.context;
    candidate.lent = true;
    const connection = await access.connect(candidate, signal());
    const [rttMs] = await Promise.all([access.measure(connection, signal()), this.#o.ask(candidate, connection)]);
    return rttMs;
  }

  #measured(candidate: Candidate, rttMs: number): void {
    const now = this.#o.context.clock.now();
    candidate.measured(rttMs, now);
    if (!candidate.inUse) {
      candidate.state = 'candidate';
      candidate.served(now);
    }
    this.#o.context.changed();
  }
}
