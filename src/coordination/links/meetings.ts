import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isRelayed } from '../../lib/addresses.ts';
import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../../lib/errors.ts';
import { firstOf } from '../../lib/first-connection.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ClusterSecret } from '../secret.ts';
import type { Absences } from './absences.ts';
import { acceptHandshake, openHandshake } from './handshake.ts';
import { dialRelay, usableConnection } from './host.ts';
import type { LinkHost } from './host.ts';
import { CLUSTER_PROTOCOL } from './messages.ts';
import type { LinkMetrics } from './metrics.ts';
import { Strangers } from './strangers.ts';

/** Opening a stream and proving: a stranger who says nothing is reset by then. */
const HANDSHAKE_DEADLINE_MS = 5_000;

/**
 * Over a connection that was there before: after a split, TCP is silent on it for as long as the split was, while a new one works at once. Two round trips
 * need far less.
 */
const OLD_CONNECTION_DEADLINE_MS = 1_500;

/** Short, so that a relay that is back is found soon; a dial that is under way when the network heals is one that was lost. */
const DIAL_DEADLINE_MS = 2_000;

/** One link, one that takes its place, and some that are refused. */
const MAX_STREAMS_PER_CONNECTION = 8;

/** Two relays on a stream of the protocol that have shown each other that they know the secret. */
export interface Meeting {
  readonly peer: string;
  readonly connection: Connection;
  readonly stream: Stream;
  readonly openedByUs: boolean;
  /** The id of the secret that the other one has proved with. */
  readonly provedWith: string;
}

export interface MeetingsOptions {
  readonly host: LinkHost;
  readonly self: PeerId;
  readonly secret: ClusterSecret;
  /** Connections over which a relay fell silent, or did not answer: they are not tried again. */
  readonly dead: WeakSet<Connection>;
  /** Whether a link to `peer` would be taken. */
  readonly hasRoom: (peer: string) => boolean;
  /** Relays that this one is to be linked to: they are let in whoever else comes, and warned of. */
  readonly isWanted: (peer: string) => boolean;
  readonly onMet: (meeting: Meeting) => void;
  readonly absences: Absences;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: LinkMetrics;
}

/** Brings relays together: dials, takes streams of others, and lets nobody by who does not know the secret. */
export class Meetings {
  readonly #o: MeetingsOptions;
  readonly #strangers: Strangers;
  #stopped = new AbortController();

  constructor(options: MeetingsOptions) {
    this.#o = options;
    this.#strangers = new Strangers(options.clock, options.isWanted);
  }

  async start(): Promise<void> {
    this.#stopped = new AbortController();
    await this.#o.host.handle(CLUSTER_PROTOCOL, this.#onStream, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION });
  }

  async stop(why: RelaydError): Promise<void> {
    this.#stopped.abort(why);
    await this.#o.host.unhandle(CLUSTER_PROTOCOL);
  }

  /** Whether it worked. Never throws. */
  async connect(peer: string, addrs: readonly Multiaddr[]): Promise<boolean> {
    if (!this.#o.hasRoom(peer)) {
      return false;
    }
    try {
      const open = usableConnection(this.#o.host, peerIdFromString(peer), this.#o.dead);
      await this.#openLink(peer, open ?? (await this.#dial(peer, addrs)), open === undefined ? HANDSHAKE_DEADLINE_MS : OLD_CONNECTION_DEADLINE_MS);
      return true;
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#o.absences.failed(peer, error);
      this.#o.log.debug({ relay: peer, error: peerText(errorMessage(error)) }, 'no link to another relay yet');
      return false;
    }
  }

  #dial(peer: string, addrs: readonly Multiaddr[]): Promise<Connection> {
    const { host, clock } = this.#o;
    const { signal } = this.#stopped;
    const ways = addrs.map((addr) => (inner: AbortSignal) => dialRelay(host, peer, addr, inner));
    return firstOf(ways, { ms: DIAL_DEADLINE_MS, clock, signal, chooses: true });
  }

  async #openLink(peer: string, connection: Connection, deadlineMs: number): Promise<void> {
    const { clock, dead } = this.#o;
    try {
      await withDeadline(deadlineMs, clock, [this.#stopped.signal], async (signal) => {
        const stream = await connection.newStream([CLUSTER_PROTOCOL], { signal, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION });
        await this.#authenticate({ peer, connection, stream, openedByUs: true }, openHandshake, signal);
      });
    } catch (error) {
      if (error instanceof RelaydError && error.code === 'TIMEOUT') dead.add(connection);
      throw error;
    }
  }

  readonly #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    const peer = connection.remotePeer.toString();
    const leave = this.#mayEnter(peer, connection) ? this.#strangers.enter(peer, stream) : undefined;
    if (leave === undefined) {
      this.#o.metrics.handshake('failed');
      stream.abort(new RelaydError('BUSY', 'no handshake now'));
      return;
    }
    try {
      await withDeadline(HANDSHAKE_DEADLINE_MS, this.#o.clock, [this.#stopped.signal], (signal) => this.#authenticate({ peer, connection, stream, openedByUs: false }, acceptHandshake, signal));
    } catch (error) {
      this.#o.log.debug({ peer, error: peerText(errorMessage(error)) }, 'a peer did not show that it is a relay of the cluster');
    } finally {
      leave();
    }
  };

  #mayEnter(peer: string, connection: Connection): boolean {
    return this.#o.hasRoom(peer) && peer !== this.#o.self.toString() && !isRelayed(connection) && !this.#stopped.signal.aborted;
  }

  /** Resets the stream when the other side does not know the secret, or is too slow. @throws what the handshake throws */
  async #authenticate(meeting: Omit<Meeting, 'provedWith'>, handshake: typeof openHandshake, signal: AbortSignal): Promise<void> {
    const { peer, connection, stream } = meeting;
    const { secret, self } = this.#o;
    let provedWith: string;
    try {
      provedWith = await handshake(stream, { secret, self, remote: connection.remotePeer, signal });
      signal.throwIfAborted();
      if (!secret.accepts(provedWith)) throw new RelaydError('FORBIDDEN', 'the secret that the other side has proved with was taken out meanwhile');
    } catch (error) {
      const isRefused = error instanceof RelaydError && error.code === 'FORBIDDEN';
      this.#o.metrics.handshake(isRefused ? 'refused' : 'failed');
      if (isRefused && this.#o.isWanted(peer)) this.#o.absences.failed(peer, error);
      stream.abort(toError(error));
      throw error;
    }
    this.#o.metrics.handshake('ok');
    this.#o.absences.met(peer);
    this.#o.onMet({ ...meeting, provedWith });
  }
}
