import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { withDeadline } from '../lib/deadline.ts';
import type { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import { DIRECTORY_PROTOCOL } from '../lib/directory/protocol.ts';
import { openStatement } from '../lib/directory/statement.ts';
import type { RelayStatement } from '../lib/directory/statement.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import type { Candidate } from './candidate.ts';
import { carriesHop } from './components.ts';
import type { ClientContext } from './context.ts';
import type { StatementOutcome } from './metrics.ts';

/** A choice waits for it, so it has no longer than a choice among relays waits at all. */
const FETCH_DEADLINE_MS = 2_000;

/** A relay that gave nothing newer is asked again after this, give or take a tenth. */
const ASK_AGAIN_MS = 60_000;

/** Asked again when so much of a statement's time is over: it does not expire for one answer that is lost. */
const RENEW_PART = 2 / 3;

/** A statement that holds for less would have it asked for all the time. */
const MIN_RENEW_MS = 5_000;

/** A relay of ours tells something every 10 s at most, and a drain. What is opened costs the check of a signature and a decision. */
const PUSHES = { count: 12, perMs: 60_000 };

/** What a relay said of itself, and until when it holds, on the monotonic clock. */
export interface HeardStatement {
  readonly content: RelayStatement;
  readonly until: number;
}

interface StatementsOptions {
  context: ClientContext;
  directory: DirectoryEndpoint;
  /** A relay that drains tells so; `ready` lets it go. */
  onDraining: (candidate: Candidate, ready: () => void) => void;
  /** It says that it does not drain. */
  onStaying: (candidate: Candidate) => void;
  onAlternatives: (candidate: Candidate, addrs: readonly Multiaddr[]) => void;
}

interface Push {
  readonly connection: Connection;
  readonly bytes: Uint8Array;
  readonly ready: () => void;
}

/**
 * What relays say of themselves: asked for when a relay is measured or reserved and again before it expires, and taken when a
 * relay brings it. Only of candidates, only over direct connections, only newer than what is known.
 */
export class Statements {
  readonly #o: StatementsOptions;
  readonly #asking = new Set<Candidate>();
  /** The newest push of each relay whose last one is still being opened: one a relay, however many it sends. */
  readonly #waiting = new Map<Candidate, Push | undefined>();
  readonly #pushes: TokenBuckets;

  constructor(options: StatementsOptions) {
    this.#o = options;
    this.#pushes = new TokenBuckets(PUSHES, options.context.clock);
    options.directory.receive((connection, bytes, ready) => this.#pushed({ connection, bytes, ready }));
  }

  /** Asks those in use whose statement is due. */
  refresh(candidates: Iterable<Candidate>): void {
    for (const candidate of candidates) {
      const connection = connectionOf(candidate);
      if (connection !== undefined && candidate.statementDueAt <= this.#o.context.clock.now()) {
        void this.ask(candidate, connection);
      }
    }
  }

  /** Never throws: a relay without a statement is a relay. */
  async ask(candidate: Candidate, connection: Connection): Promise<void> {
    if (this.#asking.has(candidate) || candidate.statementDueAt > this.#o.context.clock.now()) {
      return;
    }
    this.#asking.add(candidate);
    try {
      if (await this.#speaks(candidate)) await this.#fetch(candidate, connection);
      else this.#unsupported(candidate);
    } finally {
      this.#asking.delete(candidate);
    }
  }

  async #fetch(candidate: Candidate, connection: Connection): Promise<void> {
    const { clock, random, signal } = this.#o.context;
    candidate.statementDueAt = clock.now() + ASK_AGAIN_MS * (0.9 + 0.2 * random());
    try {
      const bytes = await withDeadline(FETCH_DEADLINE_MS, clock, [signal()], (limit) => this.#o.directory.fetch(connection, limit));
      await this.#take(candidate, bytes, () => {});
    } catch (error) {
      if (error instanceof Error && error.name === 'UnsupportedProtocolError') this.#unsupported(candidate);
      else this.#dropped(candidate, 'failed', error);
    }
  }

  /** False only when identify has told, and did not name the protocol. */
  async #speaks(candidate: Candidate): Promise<boolean> {
    const known = await this.#o.context.components.peerStore.get(candidate.peer).catch(() => undefined);
    return known === undefined || known.protocols.length === 0 || known.protocols.includes(DIRECTORY_PROTOCOL);
  }

  /** A relay may be replaced by one that speaks it: asked again on its next connection. */
  #unsupported(candidate: Candidate): void {
    candidate.statementDueAt = Infinity;
    this.#o.context.metrics.statement('unsupported');
  }

  #pushed(push: Push): void {
    const { context } = this.#o;
    const candidate = context.candidates.get(push.connection.remotePeer.toString());
    if (candidate === undefined || !carriesHop(push.connection)) {
      context.metrics.statement('foreign');
      push.ready();
      return;
    }
    if (this.#waiting.has(candidate)) {
      this.#waiting.get(candidate)?.ready();
      this.#waiting.set(candidate, push);
      return;
    }
    void this.#open(candidate, push);
  }

  async #open(candidate: Candidate, first: Push): Promise<void> {
    this.#waiting.set(candidate, undefined);
    for (let push: Push | undefined = first; push !== undefined; push = this.#next(candidate)) {
      if (this.#pushes.tryTake(candidate.id)) await this.#take(candidate, push.bytes, push.ready);
      else this.#refuse(push);
    }
    this.#waiting.delete(candidate);
  }

  #refuse(push: Push): void {
    this.#o.context.metrics.statement('excess');
    push.ready();
  }

  #next(candidate: Candidate): Push | undefined {
    const push = this.#waiting.get(candidate);
    this.#waiting.set(candidate, undefined);
    return push;
  }

  async #take(candidate: Candidate, bytes: Uint8Array, ready: () => void): Promise<void> {
    try {
      const statement = await openStatement(bytes, candidate.peer);
      this.#heard(candidate, statement, ready);
    } catch (error) {
      this.#dropped(candidate, error instanceof RelaydError && error.code === 'STATEMENT_INVALID' ? 'foreign' : 'malformed', error);
      ready();
    }
  }

  #heard(candidate: Candidate, content: RelayStatement, ready: () => void): void {
    const { clock, candidates, metrics } = this.#o.context;
    const now = clock.now();
    const known = candidate.statement;
    if (candidates.get(candidate.id) !== candidate || (known !== undefined && now < known.until && content.sequence <= known.content.sequence)) {
      metrics.statement('old');
      ready();
      return;
    }
    metrics.statement('accepted');
    candidate.statement = { content: this.#asMember(candidate, content), until: now + content.validMs };
    candidate.statementDueAt = now + Math.max(MIN_RENEW_MS, content.validMs * RENEW_PART);
    this.#o.onAlternatives(candidate, content.alternatives);
    if (content.draining) {
      this.#o.onDraining(candidate, ready);
    } else {
      this.#o.onStaying(candidate);
      ready();
    }
    this.#o.context.changed();
  }

  /** A relay that this node has shown no token yet tells it the load of anyone: members have room of their own, where all else may be full or closed. */
  #asMember({ held, peer }: Candidate, content: RelayStatement): RelayStatement {
    const isUnknown = held === undefined && content.classes.some(({ name }) => name === 'member') && this.#o.context.tokenFor(peer) !== undefined;
    return isUnknown ? { ...content, load: { ...content.load, reservations: 0, circuits: 0, bandwidth: undefined } } : content;
  }

  #dropped(candidate: Candidate, outcome: StatementOutcome, error: unknown): void {
    this.#o.context.metrics.statement(outcome);
    this.#o.context.log.debug({ relay: candidate.id, outcome, error: peerText(errorMessage(error)) }, 'no statement of a relay');
  }
}

function connectionOf(candidate: Candidate): Connection | undefined {
  return candidate.held?.connection ?? candidate.standby?.connection;
}
