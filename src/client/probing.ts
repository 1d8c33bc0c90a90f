import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';

export interface ProbeSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface ProbeOptions {
  clock: Clock;
  random: () => number;
  settings: () => ProbeSettings;
  /** Milliseconds of the round trip; throws when there was no answer. */
  ping: (signal: AbortSignal) => Promise<number>;
  smoothedRttMs: () => number | undefined;
  onAnswer: (rttMs: number) => void;
  /** The answer is late: circuits through the relay may not work. */
  onSuspect: () => void;
  /** A whole timeout has passed without an answer. */
  onMissed: () => void;
  /** {@link MAX_MISSED} in a row have. */
  onDead: () => void;
}

/**
 * A probe is late after this part of the interval (or four round trips, if those take longer). With the interval
 * of 5 s a frozen relay is noticed within 5.75 s, whenever it froze; waiting for the timeout would take up to 8 s.
 */
const LATE_PART = 0.15;
const LATE_ROUND_TRIPS = 4;

/** A ping that fails at once is tried again after this part of the timeout. */
const RETRY_PART = 0.1;

/** A timer that fires this much too late says that this process stood still, and nothing of the relay. */
const STALL_MS = 250;

/** Probes of a relay that does not answer before it is given up. */
const MAX_MISSED = 3;

/**
 * Watches one held relay. A ping goes out every interval; while none answers, the relay passes through three stages:
 *
 * - late: suspect. Its address is withdrawn, which costs nothing to take back.
 * - one timeout: missed. Another relay is reserved, and a second ping goes out on a stream of its own.
 * - three timeouts: dead. Its connection is closed, and every circuit over it with it.
 *
 * Only the last cannot be taken back, so it takes longer than a relay's event loop stalls: closing after a
 * single timeout would send all clients of a busy relay away at once.
 */
export class Probe {
  readonly #options: ProbeOptions;
  #timers: TimerHandle[] = [];
  #pinging: AbortController | undefined;
  #missed = 0;
  /** The next pause is the first after a moment that all clients of the relay may share: the start, or the end of a stall. */
  #together = true;
  #stopped = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** The first ping goes out at once: it measures the relay. */
  start(): void {
    this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#reset();
  }

  #reset(): void {
    this.#timers.forEach((timer) => timer.cancel());
    this.#timers = [];
    this.#pinging?.abort(new RelaydError('CLOSED', 'the probe is over'));
    this.#pinging = undefined;
  }

  #ask(): void {
    const { timeoutMs } = this.#options.settings();
    this.#reset();
    if (this.#missed === 0) {
      this.#judge(this.#lateMs(), () => this.#onLate());
    }
    this.#judge(timeoutMs, () => this.#onTimeout());
    void this.#ping(new AbortController());
  }

  async #ping(pinging: AbortController): Promise<void> {
    this.#pinging = pinging;
    try {
      const rtt = await this.#options.ping(pinging.signal);
      if (!pinging.signal.aborted) this.#onAnswer(rtt);
    } catch {
      // No answer yet; the timeout decides, and until then another try may have one.
      if (!pinging.signal.aborted) this.#after(this.#options.settings().timeoutMs * RETRY_PART, () => void this.#ping(new AbortController()));
    }
  }

  #onAnswer(rttMs: number): void {
    this.#missed = 0;
    this.#reset();
    this.#options.onAnswer(rttMs);
    if (!this.#stopped) {
      const { intervalMs } = this.#options.settings();
      // Only ever earlier than the interval: spreads the clients of a relay, and keeps the bound above.
      const least = this.#together ? 0.1 : 0.9;
      this.#together = false;
      this.#after(intervalMs * (least + (1 - least) * this.#options.random()), () => this.#ask());
    }
  }

  #onLate(): void {
    this.#together = true;
    this.#options.onSuspect();
  }

  #onTimeout(): void {
    this.#together = true;
    this.#missed += 1;
    if (this.#missed >= MAX_MISSED) {
      this.stop();
      this.#options.onDead();
      return;
    }
    this.#options.onMissed();
    if (!this.#stopped) this.#ask();
  }

  #lateMs(): number {
    const { intervalMs, timeoutMs } = this.#options.settings();
    const rtt = this.#options.smoothedRttMs();
    // Until it has been measured, nobody knows how far it is.
    return rtt === undefined ? timeoutMs : Math.min(timeoutMs, Math.max(intervalMs * LATE_PART, rtt * LATE_ROUND_TRIPS));
  }

  /** Judges the relay after `ms`; it gets as long again when this process itself stood still: its answer may lie unread. */
  #judge(ms: number, verdict: () => void): void {
    const due = this.#options.clock.now() + ms;
    this.#after(ms, () => {
      const stalled = this.#options.clock.now() - due > STALL_MS;
      if (stalled) this.#after(ms, verdict);
      else verdict();
    });
  }

  #after(ms: number, fn: () => void): void {
    this.#timers.push(this.#options.clock.setTimer(fn, ms));
  }
}
