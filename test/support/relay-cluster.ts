import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { Fleet } from './fleet.ts';
import { Nodes } from './nodes.ts';
import { until } from './waiting.ts';
import { WirePeer } from './wire-peer.ts';
import type { RelayNode } from '../../src/index.ts';
import type { Running } from './fleet.ts';

/** Keys of a relay's configuration that a test sets. */
interface ClusterKeys {
  readonly relay?: Record<string, unknown>;
  readonly realm?: Record<string, unknown>;
  readonly coordination?: Record<string, unknown>;
  readonly connections?: Record<string, unknown>;
}

/** Relays of one cluster on loopback, most of them in this process, and the peers that a test connects to them. */
export class RelayCluster {
  readonly #backend: Record<string, unknown>;
  readonly #dir: string;
  readonly #nodes = new Nodes();
  readonly #peers: WirePeer[] = [];
  readonly #addrs: string[] = [];
  readonly #apart = new Map<string, Running['daemon']>();
  #fleet: Fleet | undefined;

  /** @param backend the keys of `coordination` that say where shared state lives */
  static async create(backend: Record<string, unknown>): Promise<RelayCluster> {
    const dir = await mkdtemp(join(tmpdir(), 'relayd-cluster-'));
    await writeFile(join(dir, 'secret'), '7c'.repeat(32), { mode: 0o600 });
    return new RelayCluster(backend, dir);
  }

  private constructor(backend: Record<string, unknown>, dir: string) {
    this.#backend = backend;
    this.#dir = dir;
  }

  /** In this process. With gossip it knows the relays that were started before it; else the store tells it of them. */
  async start(name: string, keys: ClusterKeys = {}): Promise<RelayNode> {
    const node = await this.#nodes.start(name, this.#config(keys));
    this.#addrs.push(addrOf(node));
    return node;
  }

  async startAll(names: readonly string[], keys: ClusterKeys = {}): Promise<RelayNode[]> {
    const nodes: RelayNode[] = [];
    for (const name of names) nodes.push(await this.start(name, keys));
    await untilMeet(nodes);
    return nodes;
  }

  /** The folder of one that is, or will be, in this process. */
  dataDir(name: string): Promise<string> {
    return this.#nodes.dataDir(name);
  }

  /** In a process of its own, which can be killed. */
  async startApart(name: string, keys: ClusterKeys = {}): Promise<Running> {
    this.#fleet ??= await Fleet.create();
    const running = await this.#fleet.start(name, this.#config(keys));
    this.#apart.set(name, running.daemon);
    return running;
  }

  /** Writes another configuration for it, and has it read. */
  async reload(name: string, keys: ClusterKeys): Promise<void> {
    await this.#fleet?.configure(name, this.#config(keys));
    await this.#apart.get(name)?.post('/api/v1/reload', {});
  }

  stop(name: string): Promise<void> {
    return this.#nodes.stop(name);
  }

  /** A peer that is connected to `relay`. */
  async peer(relay: RelayNode | string): Promise<WirePeer> {
    const peer = await WirePeer.start();
    this.#peers.push(peer);
    await peer.connect(typeof relay === 'string' ? relay : addrOf(relay));
    return peer;
  }

  /** One that holds a reservation there. */
  async reserved(relay: RelayNode | string): Promise<WirePeer> {
    const peer = await this.peer(relay);
    const { status, refusal } = await peer.reserve();
    assert.equal(status, Status.OK, `refused by ${refusal?.limit}`);
    return peer;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    await this.#nodes.stopAll();
    await this.#fleet?.stopAll();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #config({ relay, realm, coordination, connections }: ClusterKeys): Record<string, unknown> & { network: object } {
    return {
      role: 'relay',
      network: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      connections: { pendingPerPrefix: 1000, inboundPerPrefix: '1000/s', ...connections },
      // Relays and peers share the process, and on a busy machine tests run late.
      relay: { maxEventLoopDelay: 'unlimited', prefixes: { exempt: ['127.0.0.0/8'] }, ...relay },
      ...(realm === undefined ? {} : { realm }),
      coordination: { secretFile: join(this.#dir, 'secret'), ...(this.#backend['backend'] === 'gossip' ? { relays: [...this.#addrs] } : {}), ...this.#backend, ...coordination },
    };
  }
}

export function addrOf(relay: RelayNode): string {
  const addr = relay.addrs[0];
  if (addr === undefined) throw new Error('the relay has no address');
  return addr;
}

/** The peers that `relay` takes for relays that are alive, itself among them. */
export function seenBy(relay: RelayNode): string[] {
  return relay.view.cluster().relays.map(({ peer }) => peer).sort();
}

/** Waits until each of `relays` sees all of them, linked and ready, and nothing is wrong. */
export async function untilMeet(relays: readonly RelayNode[]): Promise<void> {
  await until(
    () => relays.every(({ view }) => view.cluster().problem === null && view.cluster().relays.length === relays.length && view.cluster().relays.every(({ self, linked, state }) => (self || linked === true) && state === 'ready')),
    `${relays.length} relays to see each other`,
    30_000,
  );
}
