import type { Connection, PeerId } from '@libp2p/interface';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
import type { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import { errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { USER_CLASSES } from './classes.ts';
import type { UserClass } from './classes.ts';
import type { RelayHost } from './host.ts';
import type { RelayMetrics } from './metrics.ts';
import type { OwnFacts } from './own-facts.ts';
import type { OwnStatement } from './own-statement.ts';
import { paced } from './pace.ts';
import type { Pace } from './pace.ts';
import type { Reservation } from './reservations.ts';

export interface PublisherOptions {
  directory: Pick<DirectoryEndpoint, 'serve' | 'send' | 'push'>;
  facts: Pick<OwnFacts, 'measure'>;
  statement: Pick<OwnStatement, 'now' | 'contentKey'>;
  host: Pick<RelayHost, 'getConnections'>;
  /** Everybody who may be told. */
  reservations: () => readonly Reservation[];
  classOf: (peer: PeerId) => UserClass;
  clock: Clock;
  log: Logger;
  metrics: Pick<RelayMetrics, 'statement'>;
}

/** How often it is looked whether there is something new to tell: nobody is told more often. */
const LOOK_EVERY_MS = 10_000;

/** News of load can wait, what the relay carries cannot: 10,000 clients are told in no less than 50 s. */
const CHANGES: Pace = { concurrency: 16, rate: { count: 20, perMs: 100 } };

/** A drain is told as fast as it goes: every second counts, and each who is late holds up the stop. */
const DRAIN: Pace = { concurrency: 64, rate: undefined };

/** Who has not opened the stream by then is far away, asleep or ill-willed: the next one's turn comes while it is waited for. */
const DRAIN_TURN_MS = 250;

/** A client that has not taken a change by now is busy or gone; it asks by itself before its statement is over. */
const PUSH_DEADLINE_MS = 5_000;

/** A client as the publisher needs it: where it is, and which statement is for it. */
interface Listener {
  readonly connection: Connection;
  readonly limitClass: UserClass;
}

/**
 * Gives the relay's statement to whoever asks, and tells those who have asked and hold a reservation when it changes. Of a client
 * nothing is kept but a mark on the connection on which it asked.
 */
export class Publisher {
  readonly #o: PublisherOptions;
  readonly #marked = new WeakSet<Connection>();
  readonly #told = new Map<UserClass, string>();
  #running: AbortController | undefined;
  #timer: TimerHandle | undefined;
  /** The clients that are being told of a change, until all have been. */
  #round: AbortController | undefined;
  #leaving = 0;

  constructor(options: PublisherOptions) {
    this.#o = options;
  }

  /** Clients that have been told of a drain and still hold on. */
  get leaving(): number {
    return this.#leaving;
  }

  start(): void {
    this.#running = new AbortController();
    this.#o.directory.serve(this.#answer);
    USER_CLASSES.forEach((limitClass) => this.#told.set(limitClass, this.#o.statement.contentKey(limitClass)));
    this.#lookLater();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#round?.abort();
    this.#running?.abort(new Error('the relay is stopping'));
    this.#running = undefined;
  }

  /**
   * Tells everybody at once that the relay drains, and resolves when each who could be told has closed its side of the stream, has
   * lost its connection, or `signal` aborts.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#timer?.cancel();
    this.#round?.abort();
    const [notices, waits]: [Promise<void>[], Promise<void>[]] = [[], []];
    await paced(this.#listeners(USER_CLASSES), DRAIN, this.#o.clock, signal, async (listener) => {
      const sent = new AbortController();
      notices.push(this.#notice(listener, signal, waits).finally(() => sent.abort()));
      await sleep(DRAIN_TURN_MS, this.#o.clock, sent.signal);
    });
    await Promise.all(notices);
    await Promise.all(waits);
  }

  readonly #answer = (connection: Connection): Promise<Uint8Array> | undefined => {
    if (this.#running === undefined) {
      return undefined;
    }
    this.#marked.add(connection);
    this.#o.metrics.statement('answered');
    return this.#o.statement.now(this.#o.classOf(connection.remotePeer));
  };

  #lookLater(): void {
    this.#timer = this.#o.clock.setCoarseTimer(() => this.#look(), LOOK_EVERY_MS);
  }

  #look(): void {
    this.#o.facts.measure();
    const changed = USER_CLASSES.filter((limitClass) => this.#o.statement.contentKey(limitClass) !== this.#told.get(limitClass));
    // A round that still runs tells the newest to those that it has not come to; the rest are told in the next one.
    if (changed.length > 0 && this.#round === undefined) {
      changed.forEach((limitClass) => this.#told.set(limitClass, this.#o.statement.contentKey(limitClass)));
      void this.#tell(changed);
    }
    this.#lookLater();
  }

  async #tell(classes: readonly UserClass[]): Promise<void> {
    const round = new AbortController();
    this.#round = round;
    await paced(this.#listeners(classes), CHANGES, this.#o.clock, round.signal, (listener) => this.#push(listener, round.signal));
    this.#round = undefined;
  }

  /** One after the other, each looked up when its turn comes: a connection that has gone by then is not held. */
  *#listeners(classes: readonly UserClass[]): Generator<Listener> {
    for (const reservation of this.#o.reservations()) {
      const limitClass = classes.find((name) => name === reservation.class);
      const connection = this.#o.host.getConnections(reservation.peer).find((open) => open.status === 'open' && this.#marked.has(open));
      if (limitClass !== undefined && connection !== undefined) yield { connection, limitClass };
    }
  }

  async #push({ connection, limitClass }: Listener, signal: AbortSignal): Promise<void> {
    try {
      const envelope = await this.#o.statement.now(limitClass);
      await withDeadline(PUSH_DEADLINE_MS, this.#o.clock, [signal], (limit) => this.#o.directory.push(connection, envelope, limit));
      this.#o.metrics.statement('pushed');
    } catch (error) {
      this.#failed(connection, error);
    }
  }

  /** Resolves when the notice is sent; `waits` gets what ends when the client needs the relay no more. */
  async #notice({ connection, limitClass }: Listener, signal: AbortSignal, waits: Promise<void>[]): Promise<void> {
    try {
      const { closed } = await this.#o.directory.send(connection, await this.#o.statement.now(limitClass), signal);
      this.#o.metrics.statement('pushed');
      this.#leaving++;
      waits.push(closed.catch(() => {}).finally(() => this.#leaving--));
    } catch (error) {
      this.#failed(connection, error);
    }
  }

  #failed(connection: Connection, error: unknown): void {
    this.#o.metrics.statement('failed');
    this.#o.log.debug({ peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a client could not be told of a change');
  }
}
