import type { EventEmitter } from 'node:events';
import type { Connection } from '@libp2p/interface';
import { alarmIfLast } from './alarm.ts';
import { backoffCapMs, backoffMs } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientContext } from './context.ts';
import { endDraining } from './drains.ts';
import type { LostReason } from './metrics.ts';
import { tagRelay } from './relay-tag.ts';
import type { SupervisorEvents } from './supervisor-events.ts';

/** A reservation that does not last so long is one more failure: a relay that grants and closes is not asked again at once each time. */
const STEADY_MS = 30_000;

interface EndingOptions {
  context: ClientContext;
  emitter: EventEmitter<SupervisorEvents>;
  /** What is held and answers has changed: say so before anything else. */
  announce: () => void;
  /** Nobody names it any more, and it is not held any more. */
  onForgotten: (candidate: Candidate) => void;
}

/** How a reservation ends: let go by this node, or lost. */
export class Ending {
  readonly #o: EndingOptions;
  readonly #context: ClientContext;

  constructor(options: EndingOptions) {
    this.#o = options;
    this.#context = options.context;
  }

  connectionClosed(candidate: Candidate, connection: Connection): void {
    if (candidate.holdsOver(connection)) {
      this.lose(candidate, 'connection closed', 'the connection to the relay closed');
    }
  }

  /** It is held beyond need: not renewed and not announced from here on; the relay frees it by its TTL, or when the connection closes. */
  release(candidate: Candidate, why: string): void {
    const connection = candidate.held?.connection;
    if (!this.letGo(candidate)) return;
    candidate.state = 'candidate';
    candidate.lent = candidate.draining === undefined;
    this.#context.log.info({ relay: candidate.id, reason: why }, 'reservation let go');
    this.#o.emitter.emit('reservation:lost', { relay: candidate.id, reason: why });
    if (!candidate.listed) {
      this.#o.onForgotten(candidate);
      if (connection !== undefined) void this.#context.access.closeWhenIdle(connection, this.#context.signal());
    } else if (candidate.draining === undefined) {
      void this.#part(candidate);
    }
  }

  /** Ends what is held, on our side. @returns whether anything was */
  letGo(candidate: Candidate): boolean {
    if (candidate.held === undefined) {
      return false;
    }
    candidate.held.stop();
    candidate.held = undefined;
    tagRelay(candidate, false, this.#context);
    this.#context.metrics.reservationClosed();
    return true;
  }

  /** The reservation is gone: withdrawn at once, another relay tried at once, this one after a moment. */
  lose(candidate: Candidate, reason: LostReason, text: string): void {
    const { clock, components, log, metrics, random } = this.#context;
    const { held } = candidate;
    if (held === undefined) return;
    this.letGo(candidate);
    const now = clock.now();
    if (now - held.since < STEADY_MS) candidate.failures = held.failuresBefore;
    if (candidate.draining !== undefined) metrics.drained('cut');
    endDraining(candidate);
    candidate.failed(text, now);
    candidate.state = 'lost';
    candidate.lostAt = now;
    // A second connection to the same relay is as good as the first: no reason to wait.
    const connected = reason !== 'no answer' && candidate.failures === 1 && hopConnections(components, candidate.peer).length > 0;
    candidate.retryAt = now + (connected ? 0 : backoffMs(candidate.failures, random, 0, backoffCapMs(candidate, now)));
    alarmIfLast(candidate, this.#context);
    metrics.reservationLost(reason);
    log.warn({ relay: candidate.id, reason: text }, 'reservation lost');
    this.#o.emitter.emit('reservation:lost', { relay: candidate.id, reason: text });
    this.#o.announce();
    this.#context.changed();
  }

  async #part(candidate: Candidate): Promise<void> {
    const { access, signal, changed } = this.#context;
    candidate.parting = true;
    await access.giveBack(candidate.peer, signal());
    candidate.parting = false;
    changed();
  }
}
