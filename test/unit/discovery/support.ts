import type { PeerId, PeerInfo } from '@libp2p/interface';
import { EventTypes } from '@libp2p/kad-dht';
import type { QueryEvent } from '@libp2p/kad-dht';
import { multiaddr } from '@multiformats/multiaddr';
import type { CID } from 'multiformats/cid';
import { Registry } from 'prom-client';
import type { Dht } from '../../../src/discovery/host.ts';
import { DiscoveryMetrics } from '../../../src/discovery/metrics.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const PEERS = await makePeerIds(140);

export function peer(index: number): PeerId {
  const id = PEERS[index];
  if (id === undefined) throw new Error(`there are ${PEERS.length} peer ids for tests`);
  return id;
}

/** What every part of discovery takes, on a clock that the test moves and without jitter. */
export function base(): { clock: ManualClock; random: () => number; log: typeof silentLogger; metrics: DiscoveryMetrics; registry: Registry } {
  const registry = new Registry();
  return { clock: new ManualClock(), random: () => 0.5, log: silentLogger, metrics: new DiscoveryMetrics(registry), registry };
}

const PATH = { index: 0, queued: 0, running: 0, total: 0 };

function response(from: PeerId, messageName: 'ADD_PROVIDER' | 'FIND_NODE'): QueryEvent {
  return { name: 'PEER_RESPONSE', type: EventTypes.PEER_RESPONSE, messageName, messageType: messageName as never, from, closer: [], providers: [], path: PATH };
}

/** A DHT of one answering peer, in memory: for what depends on the hour of the clock. */
export class MemoryDht implements Dht {
  /** By the key, as text: who provides it. */
  readonly records = new Map<string, PeerInfo[]>();
  /** Each time that something was provided, looked up or walked to. */
  readonly asked: string[] = [];
  /** Thrown by whatever is asked, while it is set. */
  failure: Error | undefined;
  /** Peers that store a record which is provided. */
  stores = 1;
  readonly #self: PeerInfo;

  constructor(self: PeerInfo = { id: peer(0), multiaddrs: [multiaddr('/ip4/1.2.3.4/tcp/4001')] }) {
    this.#self = self;
  }

  put(key: CID, ...infos: PeerInfo[]): void {
    this.records.set(key.toString(), [...(this.records.get(key.toString()) ?? []), ...infos]);
  }

  async *provide(key: CID): AsyncIterable<QueryEvent> {
    this.#ask(`provide ${key.toString()}`);
    if (!this.records.has(key.toString())) this.put(key, this.#self);
    for (let i = 0; i < this.stores; i++) yield response(peer(9), 'ADD_PROVIDER');
  }

  cancelReprovide(key: CID): Promise<void> {
    this.asked.push(`cancel ${key.toString()}`);
    return Promise.resolve();
  }

  async *findProviders(key: CID): AsyncIterable<QueryEvent> {
    this.#ask(`find ${key.toString()}`);
    const providers = this.records.get(key.toString()) ?? [];
    if (providers.length > 0) yield { name: 'PROVIDER', type: EventTypes.PROVIDER, from: peer(9), providers, path: PATH };
  }

  async *getClosestPeers(): AsyncIterable<QueryEvent> {
    this.#ask('walk');
    yield response(peer(9), 'FIND_NODE');
  }

  count(what: string): number {
    return this.asked.filter((line) => line.startsWith(what)).length;
  }

  #ask(what: string): void {
    this.asked.push(what);
    if (this.failure !== undefined) throw this.failure;
  }
}
