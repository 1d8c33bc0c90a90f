import type { PeerId, PeerStore } from '@libp2p/interface';
import type { KadDHT } from '@libp2p/kad-dht';
import type { CID } from 'multiformats/cid';
import type { Clock } from '../lib/clock.ts';
import { Counts } from '../lib/counts.ts';

/** As long as other implementations keep them, too. */
const VALID_MS = 48 * 3_600_000;
/** Some 20 MB. A key of ours stands here for two days after its hour: the relays of a large network, and as much of others. */
const MAX_RECORDS = 32_768;
/** Nobody provides so much to a node that is there to relay. */
const MAX_OF_PEER = 1_024;
/** What is answered to a question is at most this long; twenty are what a look-up wants. */
const MAX_OF_KEY = 128;

interface Record {
  readonly key: string;
  readonly peer: PeerId;
  readonly at: number;
}

/** Who provides what, as peers have told this node. It forgets the oldest first. */
export class ProviderRecords {
  readonly #clock: Clock;
  /** By key and peer; the one renewed last at the end. */
  readonly #records = new Map<string, Record>();
  readonly #byKey = new Map<string, Map<string, PeerId>>();
  readonly #ofPeer = new Counts();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#records.size;
  }

  add(cid: CID, peer: PeerId): void {
    const record = { key: keyOf(cid), peer, at: this.#clock.now() };
    this.#remove(record);
    const peers = this.#byKey.get(record.key) ?? new Map<string, PeerId>();
    const [oldestOfKey] = peers.values();
    if (this.#ofPeer.of(peer.toString()) >= MAX_OF_PEER) {
      return;
    }
    if (oldestOfKey !== undefined && peers.size >= MAX_OF_KEY) {
      this.#remove({ key: record.key, peer: oldestOfKey });
    }
    this.#put(record);
    this.#forgetOld();
  }

  remove(cid: CID, peer: PeerId): void {
    this.#remove({ key: keyOf(cid), peer });
  }

  /** Whether the peer is named in any: its addresses are then needed. */
  provides(peer: PeerId): boolean {
    return this.#ofPeer.of(peer.toString()) > 0;
  }

  /** The one that came last first. */
  of(cid: CID): PeerId[] {
    this.#forgetOld();
    return [...(this.#byKey.get(keyOf(cid))?.values() ?? [])].reverse();
  }

  #put(record: Record): void {
    const { key, peer } = record;
    const peers = this.#byKey.get(key) ?? new Map<string, PeerId>();
    this.#byKey.set(key, peers.set(peer.toString(), peer));
    this.#records.set(idOf(record), record);
    this.#ofPeer.add(peer.toString());
  }

  #remove(record: Pick<Record, 'key' | 'peer'>): void {
    if (!this.#records.delete(idOf(record))) {
      return;
    }
    const peers = this.#byKey.get(record.key);
    peers?.delete(record.peer.toString());
    if (peers?.size === 0) this.#byKey.delete(record.key);
    this.#ofPeer.remove(record.peer.toString());
  }

  #forgetOld(): void {
    const oldest = this.#clock.now() - VALID_MS;
    for (const record of this.#records.values()) {
      if (record.at > oldest && this.#records.size <= MAX_RECORDS) break;
      this.#remove(record);
    }
  }
}

function idOf({ key, peer }: Pick<Record, 'key' | 'peer'>): string {
  return `${key} ${peer.toString()}`;
}

/** The DHT knows the hash alone: the same content under another codec has the same providers. */
function keyOf(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('base64');
}

/** Of the library's DHT, beyond its interface. */
interface WithProviders {
  providers?: {
    addProvider(cid: CID, peer: PeerId): Promise<void>;
    removeProvider(cid: CID, peer: PeerId): Promise<void>;
    getProviders(cid: CID): Promise<PeerId[]>;
  };
}

/**
 * Keeps the records that peers store here in bounds, and answers without looking at all of them: the library's own store grows with
 * whatever it is sent for two days, reads every record for each question (15 ms at 16,000), and fails a question where it has forgotten the
 * addresses of one of the providers. Nothing of ours is renewed by the library then, only by {@link Advertising}.
 *
 * @returns `undefined` when this version of the DHT has no such store, and nothing was done
 */
export function boundProviders(dht: KadDHT, peerStore: Pick<PeerStore, 'has'>, clock: Clock): ProviderRecords | undefined {
  const { providers } = dht as WithProviders;
  if (providers === undefined) {
    return undefined;
  }
  const records = new ProviderRecords(clock);
  providers.addProvider = (cid, peer) => Promise.resolve(records.add(cid, peer));
  providers.removeProvider = (cid, peer) => Promise.resolve(records.remove(cid, peer));
  providers.getProviders = async (cid) => {
    const known = await Promise.all(records.of(cid).map(async (peer) => ((await peerStore.has(peer)) ? [peer] : [])));
    return known.flat();
  };
  return records;
}
