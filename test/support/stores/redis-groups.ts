import { freePort } from '../free-port.ts';
import { until } from '../waiting.ts';
import { RedisServer } from './redis.ts';

/** Several Redis servers that act as one. */

export const SENTINEL_PRIMARY = 'store';

/** A primary with a replica, and the sentinels that replace it. */
export interface SentinelGroup extends AsyncDisposable {
  readonly servers: readonly [primary: RedisServer, replica: RedisServer];
  readonly sentinels: readonly { host: string; port: number }[];
  /** Asks a sentinel as an operator does. */
  askSentinel(...args: readonly string[]): string;
}

const SENTINELS = 3;
const QUORUM = 2;
/** The sentinels take a primary that is silent for so long for dead: long enough for a busy machine. */
const DOWN_AFTER_MS = 1_500;
/** The next failover may begin after twice this time. */
const FAILOVER_TIMEOUT_MS = 5_000;
const GROUP_START_MS = 30_000;

export async function sentinelGroup(): Promise<SentinelGroup> {
  const started: RedisServer[] = [];
  const start = async (...options: Parameters<typeof RedisServer.start>): Promise<RedisServer> => {
    const server = await RedisServer.start(...options);
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())));
  try {
    const primary = await start();
    const replica = await start({ args: ['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0'] });
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => start({ args: ['--sentinel'], file: () => sentinelFile(primary.port) })));
    await until(() => primary.ask('info', 'replication').includes('state=online'), 'the replica to follow', GROUP_START_MS);
    await until(() => sentinels.every((sentinel) => sees(sentinel)), 'the sentinels to know each other and the replica', GROUP_START_MS);
    return {
      servers: [primary, replica],
      sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      askSentinel: (...args) => sentinels[0]!.ask('sentinel', ...args),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelFile(primaryPort: number): string {
  return [
    `sentinel monitor ${SENTINEL_PRIMARY} 127.0.0.1 ${primaryPort} ${QUORUM}`,
    `sentinel down-after-milliseconds ${SENTINEL_PRIMARY} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${SENTINEL_PRIMARY} ${FAILOVER_TIMEOUT_MS}`,
    '',
  ].join('\n');
}

function sees(sentinel: RedisServer): boolean {
  const lines = sentinel.ask('sentinel', 'master', SENTINEL_PRIMARY).split('\n');
  const value = (name: string): number => Number(lines[lines.indexOf(name) + 1]);
  return value('num-slaves') === 1 && value('num-other-sentinels') === SENTINELS - 1;
}

/** Three nodes without replicas, which share the slots. */
export interface ClusterGroup extends AsyncDisposable {
  readonly nodes: readonly RedisServer[];
}

const LAST_SLOT = 16_383;
const HALF = 8_192;

/** @param alone the only slot of the last node: redis-cli moves so many of a node's slots, and does not ask which */
export async function clusterGroup(alone: number): Promise<ClusterGroup> {
  const nodes: RedisServer[] = [];
  const busPorts: number[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (let i = 0; i < 3; i++) {
      const busPort = await freePort();
      // A node whose last slot is moved away would become a replica.
      nodes.push(await RedisServer.start({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '5000', '--cluster-allow-replica-migration', 'no'] }));
      busPorts.push(busPort);
    }
    const ranges = [[0, HALF - 1], [HALF, alone - 1, alone + 1, LAST_SLOT], [alone, alone]];
    nodes.forEach((node, i) => node.ask('cluster', 'addslotsrange', ...ranges[i]!.map(String)));
    nodes.forEach((node, i) => i > 0 && nodes[0]!.ask('cluster', 'meet', '127.0.0.1', String(node.port), String(busPorts[i])));
    await until(() => nodes.every((node) => node.ask('cluster', 'info').includes('cluster_state:ok') && node.ask('cluster', 'info').includes('cluster_known_nodes:3')), 'the cluster to be one', GROUP_START_MS);
    return { nodes, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
