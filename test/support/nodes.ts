import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import type { RelayNode } from '../../src/index.ts';
import { RelayNode as Node } from '../../src/node/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { until } from './waiting.ts';

/** `/ip4/127.0.0.1/tcp/0`: where a node of a test listens when others are to reach it. */
export const LISTEN = ['/ip4/127.0.0.1/tcp/0'];

interface NodeConfig extends Record<string, unknown> {
  readonly network?: object;
}

/** Nodes of ours in this process, on loopback, in a folder that goes with them. A name keeps its data directory from one start to the next. */
export class Nodes {
  readonly #running = new Map<string, RelayNode>();
  #dir: string | undefined;

  async start(name: string, config: NodeConfig, clock?: Clock): Promise<RelayNode> {
    const whole = { ...config, network: { listen: [], allowPrivate: true, ...config.network }, dataDir: await this.dataDir(name), admin: { listen: '127.0.0.1:0' }, log: { level: 'silent' } };
    // The files that it names may be read again, as those of a daemon.
    const read = (): ReturnType<typeof loadConfig> => loadConfig({ inline: whole });
    const loaded = read();
    const node = new Node(assertConfig(loaded), { reloadConfig: read, ...(loaded.ok ? { layers: loaded.layers } : {}), ...(clock === undefined ? {} : { clock }) });
    this.#running.set(name, node);
    await node.start();
    return node;
  }

  async dataDir(name: string): Promise<string> {
    this.#dir ??= await mkdtemp(join(tmpdir(), 'relayd-nodes-'));
    return join(this.#dir, name);
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)));
    if (this.#dir !== undefined) await rm(this.#dir, { recursive: true, force: true });
    this.#dir = undefined;
  }
}

/** The relays with which `node` holds reservations, once there are `count`. */
export async function untilHolds(node: RelayNode, count: number, timeoutMs?: number): Promise<string[]> {
  const held = (): string[] => node.view.relays().flatMap(({ peer, state }) => (state === 'reserved' ? [peer] : []));
  try {
    await until(() => held().length === count, `${count} reservations`, timeoutMs);
  } catch (error) {
    throw new Error(`candidates: ${JSON.stringify(node.view.relays())}`, { cause: error });
  }
  return held();
}

/** The value of a series of the node's, such as `relayd_discovery_found{source="dht"}`; 0 when it has none. */
export async function metric(node: RelayNode, series: string): Promise<number> {
  const line = (await node.view.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  return Number(line?.slice(series.length) ?? 0);
}
