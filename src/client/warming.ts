import type { Connection } from '@libp2p/interface';
import { RelaydError } from '../lib/errors.ts';
import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';
import { chooseStandby, expected } from './selection.ts';
import type { SelectionState } from './selection.ts';
import { StandbyRelay } from './standby-relay.ts';

interface WarmingOptions {
  context: ClientContext;
  onUnreachable: (candidate: Candidate, error: unknown) => void;
}

/**
 * Keeps one relay in reserve: connected and probed, so that a failover to it is one RESERVE. One, because two relays seldom fail
 * together, and each costs a relay a connection that others may need.
 */
export class Warming {
  readonly #o: WarmingOptions;
  #connecting: Candidate | undefined;

  constructor(options: WarmingOptions) {
    this.#o = options;
  }

  stop(): void {
    this.#connecting = undefined;
    for (const candidate of this.#o.context.candidates) this.#cool(candidate);
  }

  /** Takes a reserve where there is none, or a clearly better one. */
  decide(state: SelectionState): void {
    const { candidates, metrics } = this.#o.context;
    const all = [...candidates];
    const current = all.find((candidate) => candidate.standby !== undefined);
    if (current !== undefined && (state.desired === 0 || !current.listed || current.draining !== undefined)) {
      this.#cool(current);
    }
    if (this.#connecting === undefined && state.desired > 0 && expected(all, state.nowMs) >= state.desired) {
      const chosen = chooseStandby(all, state);
      if (chosen !== undefined && chosen.standby === undefined) void this.#warm(chosen, current);
    }
    metrics.standbys(all.filter((candidate) => candidate.standby !== undefined).length);
  }

  connectionClosed(candidate: Candidate, connection: Connection): void {
    if (candidate.standby?.connection === connection) {
      this.#o.onUnreachable(candidate, new RelaydError('CLOSED', 'the connection to the relay closed'));
    }
  }

  async #warm(candidate: Candidate, before: Candidate | undefined): Promise<void> {
    const { access, signal, changed } = this.#o.context;
    const running = signal();
    this.#connecting = candidate;
    candidate.warming = true;
    try {
      const connection = await access.connect(candidate, running);
      if (running.aborted) return;
      if (candidate.held !== undefined || candidate.attemptAt !== undefined || !candidate.listed) return;
      if (before !== undefined) this.#cool(before);
      this.#stand(candidate, connection);
    } catch (error) {
      if (!running.aborted) this.#o.onUnreachable(candidate, error);
    } finally {
      candidate.warming = false;
      candidate.lent = true;
      if (this.#connecting === candidate) this.#connecting = undefined;
      if (!running.aborted) changed();
    }
  }

  #stand(candidate: Candidate, connection: Connection): void {
    const { clock, random, settings } = this.#o.context;
    candidate.state = 'standby';
    candidate.standby = new StandbyRelay({
      connection,
      clock,
      random,
      probeSettings: () => settings().probe,
      smoothedRttMs: () => candidate.rttMs,
      onAnswer: (rttMs) => candidate.measured(rttMs, clock.now()),
      onDead: () => {
        this.#o.onUnreachable(candidate, new RelaydError('TIMEOUT', 'the relay does not answer'));
        connection.abort(new RelaydError('TIMEOUT', 'the relay does not answer'));
      },
    });
  }

  #cool(candidate: Candidate): void {
    if (candidate.standby === undefined) return;
    candidate.standby.stop();
    candidate.standby = undefined;
    candidate.state = 'candidate';
    candidate.lent = true;
  }
}
