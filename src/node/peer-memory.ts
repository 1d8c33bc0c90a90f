import type { Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/**
 * Keeps `store` from being written for each stream of each peer: libp2p notes the protocol of every stream that is opened, under a lock, as
 * a record that it decodes, merges and encodes again. A node that is nothing but a relay never reads these notes. What else is stored
 * (addresses, tags), and all that concerns the node itself, is stored as ever.
 */
export function forgetProtocols(store: PeerStore, self: PeerId): void {
  const merge = store.merge.bind(store);
  store.merge = (peer, data, options) => (isProtocolNote(data) && !self.equals(peer) ? Promise.resolve(unstored(peer, data)) : merge(peer, data, options));
}

/** What was under way when a peer left (an identify, the notes of its last streams) is stored behind its leaving, but by then. */
const FORGET_AFTER_MS = 10_000;

interface GonePeersOptions {
  store: Pick<PeerStore, 'get' | 'delete'>;
  isConnected: (peer: PeerId) => boolean;
  /** Whether the peer's addresses are needed although it has gone. */
  isNeeded: (peer: PeerId) => boolean;
  clock: Clock;
  log: Logger;
}

/**
 * Deletes what is stored of peers that have left, unless one is back, or needed, or has a tag: the DHT gives one to those of its routing table,
 * which is bounded. The store by itself forgets only what it is asked for.
 */
export class GonePeers {
  readonly #o: GonePeersOptions;
  #gone = new Map<string, PeerId>();
  #timer: TimerHandle | undefined;

  constructor(options: GonePeersOptions) {
    this.#o = options;
  }

  add(peer: PeerId): void {
    this.#gone.set(peer.toString(), peer);
    this.#timer ??= this.#o.clock.setCoarseTimer(() => this.#forget(), FORGET_AFTER_MS);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#gone.clear();
  }

  #forget(): void {
    const { isConnected, log } = this.#o;
    const gone = [...this.#gone.values()].filter((peer) => !isConnected(peer));
    this.#gone.clear();
    this.#timer = undefined;
    gone.forEach((peer) => void this.#forgetOne(peer).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'a peer could not be forgotten')));
  }

  async #forgetOne(peer: PeerId): Promise<void> {
    const { store, isNeeded } = this.#o;
    const known = await store.get(peer).catch(() => undefined);
    if (known !== undefined && known.tags.size === 0 && !isNeeded(peer)) {
      await store.delete(peer);
    }
  }
}

function isProtocolNote(data: PeerData): boolean {
  const keys = Object.keys(data);
  return keys.length === 1 && keys[0] === 'protocols';
}

/** What merge() would have returned for a peer that nothing else is known of. */
function unstored(id: PeerId, data: PeerData): Peer {
  return { id, addresses: [], protocols: data.protocols ?? [], metadata: new Map(), tags: new Map() };
}
