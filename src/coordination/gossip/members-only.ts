import type { Connection, PeerId, Stream, StreamHandler, Topology } from '@libp2p/interface';
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock } from '../../lib/clock.ts';
import { deadline } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Links } from '../links.ts';

/**
 * Gossipsub between relays, under a name of its own: the relay's other peers, of which many speak gossipsub for purposes of theirs, are not told that
 * it is spoken here, and cannot ask for it by its usual names.
 */
export const GOSSIP_PROTOCOL = '/relayd/gossip/1.0.0';

/** The one of gossipsub's names that stands for ours inside. */
const NEWEST_PROTOCOL = '/meshsub/1.2.0';

/** Gossipsub opens its streams one after the other: a relay that is frozen must not keep it from the others for long. */
const OPEN_DEADLINE_MS = 1_000;

/** One is used; a second one comes when the first was lost at one end only. */
const MAX_STREAMS = 2;

export interface MembersOnlyOptions {
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>;
  readonly connectionManager: Pick<ConnectionManager, 'getConnections'>;
  readonly links: Links;
  readonly clock: Clock;
  readonly onForeign: () => void;
}

/**
 * What gossipsub sees in place of libp2p's registrar: its peers are the cluster's relays that have a link, and no others. They are told of by the links
 * and not by identify, which a relay does not ask.
 */
export class MembersOnly {
  readonly #o: MembersOnlyOptions;
  #topology: Topology | undefined;
  /** Relays to which a stream is open or being opened. */
  readonly #open = new Map<string, Stream | undefined>();
  #stopped = new AbortController();
  #endLinks: (() => void) | undefined;

  constructor(options: MembersOnlyOptions) {
    this.#o = options;
  }

  /** The part of libp2p's registrar that gossipsub uses. */
  registrar(): Pick<Registrar, 'handle' | 'unhandle' | 'register' | 'unregister'> {
    const { registrar } = this.#o;
    return {
      handle: async (protocol, handler) => {
        if (protocol === NEWEST_PROTOCOL) await registrar.handle(GOSSIP_PROTOCOL, this.#guarded(handler), { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS });
      },
      unhandle: async (protocol) => {
        if (protocol === NEWEST_PROTOCOL) await registrar.unhandle(GOSSIP_PROTOCOL);
      },
      register: (protocol, topology) => {
        if (protocol === NEWEST_PROTOCOL) this.#follow(topology);
        return Promise.resolve(protocol);
      },
      unregister: (protocol) => {
        if (protocol === NEWEST_PROTOCOL) this.#end();
      },
    };
  }

  /** Streams to members that have none are opened: one was reset, or refused because the other side did not know yet of the link. To be called now and then. */
  mend(): void {
    this.#o.links.members().forEach((relay) => this.#connect(relay));
  }

  #guarded(handler: StreamHandler): StreamHandler {
    return (stream, connection) => {
      if (!this.#o.links.isMember(connection.remotePeer)) {
        this.#o.onForeign();
        stream.abort(new RelaydError('FORBIDDEN', 'only relays of the cluster gossip'));
        return;
      }
      return handler(stream, this.#asSeen(connection, connection.remotePeer));
    };
  }

  #follow(topology: Topology): void {
    const { links } = this.#o;
    this.#stopped = new AbortController();
    this.#topology = topology;
    this.#endLinks = links.onChange((relay, isMember) => {
      if (isMember) this.#connect(relay);
      else this.#disconnect(relay);
    });
    this.mend();
  }

  #end(): void {
    this.#endLinks?.();
    this.#topology = undefined;
    this.#stopped.abort(new RelaydError('CLOSED', 'gossip has stopped'));
    this.#open.clear();
  }

  #connect(relay: string): void {
    if (this.#topology === undefined || this.#open.has(relay)) return;
    const peer = peerIdFromString(relay);
    const connection = this.#o.connectionManager.getConnections(peer).find(({ status }) => status === 'open');
    if (connection !== undefined) void this.#topology.onConnect?.(peer, this.#asSeen(connection, peer));
  }

  #disconnect(relay: string): void {
    this.#open.delete(relay);
    void this.#topology?.onDisconnect?.(peerIdFromString(relay));
  }

  /** As much of a connection as gossipsub looks at; a stream of it is one of the link's. */
  #asSeen({ status, direction, remoteAddr }: Connection, remotePeer: PeerId): Connection {
    const newStream = (): Promise<Stream> => this.#openStream(remotePeer.toString());
    return { status, direction, remoteAddr, remotePeer, newStream } as Partial<Connection> as Connection;
  }

  async #openStream(relay: string): Promise<Stream> {
    const { clock, links } = this.#o;
    const limit = deadline(OPEN_DEADLINE_MS, clock, this.#stopped.signal);
    this.#open.set(relay, undefined);
    try {
      const stream = await links.openStream(relay, GOSSIP_PROTOCOL, limit.signal);
      stream.protocol = NEWEST_PROTOCOL;
      this.#open.set(relay, stream);
      stream.addEventListener('close', () => this.#closed(relay, stream), { once: true });
      return stream;
    } catch (error) {
      this.#open.delete(relay);
      throw error;
    } finally {
      limit.clear();
    }
  }

  #closed(relay: string, stream: Stream): void {
    if (this.#open.get(relay) === stream) this.#open.delete(relay);
  }
}
