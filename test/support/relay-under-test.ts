import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import type { LoadResult } from '../../src/config/index.ts';
import { createRelayNode } from '../../src/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { RelayCounts } from '../../src/lib/contracts.ts';
import { RelayNode } from '../../src/node/index.ts';
import { until } from './waiting.ts';
import { WirePeer } from './wire-peer.ts';
import type { WirePeerOptions } from './wire-peer.ts';

/** Keys of the configuration that a test sets; everything else is as a test needs it. */
export interface RelayKeys {
  relay?: Record<string, unknown>;
  connections?: Record<string, unknown>;
  realm?: Record<string, unknown>;
  drain?: Record<string, unknown>;
  /** Prefix limits are under test: loopback is not exempt. */
  prefixes?: boolean;
}

export interface RelayOptions {
  clock?: Clock;
  /** What a reload reads, made from the config object that the node was made from. */
  reloadConfig?: (inline: object) => Promise<LoadResult>;
}

/** A real relay on loopback, with its folder, its metrics and the peers that a test connects to it. */
export class RelayUnderTest {
  readonly node: RelayNode;
  readonly #dataDir: string;
  readonly #peers: WirePeer[] = [];

  static async start(keys: RelayKeys = {}, options: RelayOptions = {}): Promise<RelayUnderTest> {
    const dataDir = await mkdtemp(join(tmpdir(), 'relayd-test-'));
    const node = await makeNode(configOf(keys, dataDir), options);
    const relay = new RelayUnderTest(node, dataDir);
    try {
      await node.start();
    } catch (error) {
      await relay.stop();
      throw error;
    }
    return relay;
  }

  private constructor(node: RelayNode, dataDir: string) {
    this.node = node;
    this.#dataDir = dataDir;
  }

  get addr(): string {
    const addr = this.node.addrs[0];
    if (addr === undefined) throw new Error('the relay has no address');
    return addr;
  }

  get port(): number {
    return Number(/\/tcp\/(\d+)/.exec(this.addr)?.[1]);
  }

  /** A connected peer, stopped with the relay. */
  async peer(options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = await this.unconnectedPeer(options);
    await peer.connect(this.addr);
    return peer;
  }

  async unconnectedPeer(options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = await WirePeer.start(options);
    this.#peers.push(peer);
    return peer;
  }

  /** A connected peer that holds a reservation. */
  async reserved(options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = await this.peer(options);
    const { status, refusal } = await peer.reserve();
    if (status !== 100) throw new Error(`RESERVE was answered ${status} (${refusal?.limit})`);
    return peer;
  }

  /** The relay's own counts, as `GET /api/v1/status` shows them. */
  async counts(): Promise<RelayCounts & { leaving: number }> {
    const status = (await (await this.#get('/api/v1/status')).json()) as { relay: RelayCounts & { leaving: number } };
    return status.relay;
  }

  /** Every series of `GET /metrics`: name with labels, as written, and value. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await this.#get('/metrics')).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }

  /** The value of one series. @throws Error when there is no such series: labels are seeded at zero */
  async metric(series: string): Promise<number> {
    const value = (await this.metrics()).get(series);
    if (value === undefined) throw new Error(`there is no series ${series}`);
    return value;
  }

  /** Waits until nothing is reserved, relayed or buffered, whoever was there. */
  async emptied(): Promise<void> {
    await until(async () => {
      const { reservations, circuits, bufferedBytes } = await this.counts();
      return reservations.count === 0 && circuits.count === 0 && bufferedBytes === 0;
    }, 'the relay to be empty');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    await this.node.stop();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  async #get(path: string): Promise<Response> {
    const admin = JSON.parse(await readFile(join(this.#dataDir, 'admin.json'), 'utf8')) as { url: string };
    return fetch(admin.url + path, { headers: { connection: 'close' } });
  }
}

/** A relay for the time of one test. */
export async function withRelay(keys: RelayKeys, use: (relay: RelayUnderTest) => Promise<void>, options: RelayOptions = {}): Promise<void> {
  const relay = await RelayUnderTest.start(keys, options);
  try {
    await use(relay);
  } finally {
    await relay.stop();
  }
}

async function makeNode(inline: object, { clock, reloadConfig }: RelayOptions): Promise<RelayNode> {
  if (reloadConfig === undefined) {
    return createRelayNode(inline, { clock });
  }
  return new RelayNode(assertConfig(loadConfig({ inline })), { clock, reloadConfig: () => reloadConfig(inline) });
}

function configOf({ relay, connections, realm, drain, prefixes }: RelayKeys, dataDir: string): object {
  return {
    role: 'relay',
    dataDir,
    network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true },
    admin: { listen: '127.0.0.1:0' },
    log: { level: 'silent' },
    connections: { pendingPerPrefix: 1000, inboundPerPrefix: '1000/s', ...connections },
    // Relay and peers share the process, and on a busy machine tests run late.
    relay: { maxEventLoopDelay: 'unlimited', ...(prefixes === true ? {} : { prefixes: { exempt: ['127.0.0.0/8'] } }), ...relay },
    ...(realm === undefined ? {} : { realm }),
    ...(drain === undefined ? {} : { drain }),
  };
}
