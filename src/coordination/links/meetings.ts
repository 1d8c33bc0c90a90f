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
import { acceptHandshake, openHandshake } from './handshake.ts';
import { dialRelay, usableConnection } from './host.ts';
import type { LinkHost } from './host.ts';
import { CLUSTER_PROTOCOL } from './messages.ts';
import type { LinkMetrics } from './metrics.ts';
import { Strangers } from './strangers.ts';

/** Opening a stream and proving: a stranger who says nothing is reset by then. */
const HANDSHAKE_DEADLINE_MS = 5_000;

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
}

export interface MeetingsOptions {
  readonly host: LinkHost;
  readonly self: PeerId;
  readonly secret: ClusterSecret;
  /** Connections over which a relay fell silent: they are not tried again. */
  readonly dead: WeakSet<Connection>;
  /** Whether a link to `peer` would be taken. */
  readonly hasRoom: (peer: string) => boolean;
  /** Relays that this one is to be linked to: they are let in whoever else comes, and warned of. */
  readonly isWanted: (peer: string) => boolean;
  readonly onMet: (meeting: Meeting) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: LinkMetrics;
}

/** Brings relays together: dials, takes streams of others, and lets nobody by who does not know the secret. */
export class Meetings {
  readonly #o: MeetingsOptions;
  readonly #strangers: Strangers;
  /** Relays whose handshake was refused and that have been warned of. */
  readonly #warned = new Set<string>();
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
    this.#warned.clear();
    await this.#o.host.unhandle(CLUSTER_PROTOCOL);
  }

  /** Whether it worked. Never throws. */
  async connect(peer: string, addrs: readonly Multiaddr[]): Promise<boolean> {
    if (!this.#o.hasRoom(peer)) {
      return false;
    }
    try {
      const connection = await this.#connectionTo(peer, addrs);
      await withDeadline(HANDSHAKE_DEADLINE_MS, this.#o.clock, [this.#stopped.signal], (signal) => this.#openLink(peer, connection, signal));
      return true;
    } catch (error) {
      this.#o.log.debug({ relay: peer, error: peerText(errorMessage(error)) }, 'no link to another relay yet');
      return false;
    }
  }

  async #connectionTo(peer: string, addrs: readonly Multiaddr[]): Promise<Connection> {
    const { host, clock } = this.#o;
    const { signal } = this.#stopped;
    const open = usableConnection(host, peerIdFromString(peer), this.#o.dead);
    if (open !== undefined) {
      return open;
    }
    const ways = addrs.map((addr) => (inner: AbortSignal) => dialRelay(host, peer, addr, inner));
    return firstOf(ways, { ms: DIAL_DEADLINE_MS, clock, signal, chooses: true });
  }

  async #openLink(peer: string, connection: Connection, signal: AbortSignal): Promise<void> {
    const stream = await connection.newStream([CLUSTER_PROTOCOL], { signal, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION });
    await this.#authenticate({ peer, connection, stream, openedByUs: true }, openHandshake, signal);
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
  async #authenticate(meeting: Meeting, handshake: typeof openHandshake, signal: AbortSignal): Promise<void> {
    const { peer, connection, stream } = meeting;
    try {
      await handshake(stream, { secret: this.#o.secret, self: this.#o.self, remote: connection.remotePeer, signal });
      signal.throwIfAborted();
    } catch (error) {
      const isRefused = error instanceof RelaydError && error.code === 'FORBIDDEN';
      this.#o.metrics.handshake(isRefused ? 'refused' : 'failed');
      if (isRefused) this.#warnOf(peer, error);
      stream.abort(toError(error));
      throw error;
    }
    this.#o.metrics.handshake('ok');
    this.#warned.delete(peer);
    this.#o.onMet(meeting);
  }

  /** Only of relays that this one is to be linked to: strangers are not worth a line. */
  #warnOf(peer: string, error: RelaydError): void {
    if (!this.#o.isWanted(peer) || this.#warned.has(peer)) {
      return;
    }
    this.#warned.add(peer);
    this.#o.log.warn({ relay: peer, error: error.message }, 'no link to another relay: coordination.cluster and the content of coordination.secretFile must be the same on all relays of a cluster');
  }
}
