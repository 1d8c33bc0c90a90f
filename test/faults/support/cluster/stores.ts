import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { endOf } from '../../../../scripts/lib/processes.ts';
import type { Namespace } from '../../../support/netns/namespace.ts';
import { until } from '../../../support/waiting.ts';
import { StoreProcess } from './store-process.ts';

/** The stores of the rows, real servers in namespaces of their own, as an operator would set them up. */

export interface Machine {
  readonly at: Namespace;
  readonly host: string;
}

/** What relays are configured with, and the servers. */
export interface Store {
  /** The section `coordination` but for what all backends share. */
  readonly config: Record<string, unknown>;
  readonly servers: readonly StoreProcess[];
  /** The programs that watch over the servers; never broken themselves. */
  readonly others: readonly StoreProcess[];
  /** Which server is the one to break first: the primary, the leader. */
  leader(): number;
  /** Whether it takes a write now, where that takes it a while after it is whole again. */
  readonly takesWrites?: () => Promise<boolean>;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
const ETCD_PORT = 2379;
const ETCD_PEER_PORT = 2380;
const STARTED_MS = 30_000;
const ANSWER_MS = 2_000;
/** A write that waits longer is tried anew: it is to be seen when they begin to be taken. */
const WRITE_MS = 500;
/** As people set it for a fast failover. */
const SENTINEL_DOWN_MS = 1_000;

export interface StoreOptions {
  readonly machines: readonly Machine[];
  readonly dir: string;
  /** For Redis, which asks for one. */
  readonly passwordFile: string;
  readonly password: string;
}

/** One server that keeps nothing on disk: a restart loses everything. */
export async function redisStore({ machines, dir, passwordFile, password }: StoreOptions): Promise<Store> {
  const [machine] = machines as [Machine];
  const server = redis('redis', machine, dir, password);
  await server.start();
  await answers(machine, password);
  return { config: { backend: 'redis', allowPlaintext: true, redis: { url: `redis://${machine.host}:${REDIS_PORT}`, passwordFile } }, servers: [server], others: [], leader: () => 0 };
}

/** A primary and two replicas, with a sentinel beside each. */
export async function sentinelStore({ machines, dir, passwordFile, password }: StoreOptions): Promise<Store> {
  const [first] = machines as [Machine];
  const servers = machines.map((machine, i) => redis(`redis-${i}`, machine, dir, password, i === 0 ? [] : ['--replicaof', first.host, String(REDIS_PORT)]));
  const sentinels = machines.map((machine, i) => sentinel(machine, `${dir}/sentinel-${i}`, first.host, password));
  for (const server of servers) await server.start();
  for (const machine of machines) await answers(machine, password);
  for (const one of sentinels) await one.start();
  const primary = (): string => machines[1]?.at.exec('redis-cli', '-h', machines[1].host, '-p', String(SENTINEL_PORT), 'sentinel', 'get-master-addr-by-name', 'mymaster').split('\n')[0] ?? '';
  await until(() => attempt(() => sentinelsSee(machines)) === true, 'the sentinels know the replicas and each other', STARTED_MS);
  const config = { backend: 'redis', allowPlaintext: true, redis: { sentinels: machines.map(({ host }) => `${host}:${SENTINEL_PORT}`), sentinelPrimary: 'mymaster', passwordFile } };
  return { config, servers, others: sentinels, leader: () => machines.findIndex(({ host }) => host === primary()) };
}

/** Three members, in memory. */
export async function etcdStore({ machines, dir }: StoreOptions): Promise<Store> {
  const initial = machines.map(({ host }, i) => `m${i}=http://${host}:${ETCD_PEER_PORT}`).join();
  const servers = machines.map((machine, i) => etcd(machine, i, `${dir}/etcd-${i}`, initial));
  for (const server of servers) await server.start();
  const status = (): { Endpoint: string; Status: { leader: number; header: { member_id: number } } }[] => JSON.parse(etcdctl(machines, 'endpoint', 'status', '-w', 'json'));
  await until(() => attempt(status)?.length === machines.length, 'three members of etcd', STARTED_MS);
  const leader = (): number => {
    const found = status().find(({ Status: { leader: id, header } }) => id === header.member_id);
    return machines.findIndex(({ host }) => found?.Endpoint.includes(host));
  };
  return { config: { backend: 'etcd', allowPlaintext: true, etcd: { endpoints: machines.map(({ host }) => `http://${host}:${ETCD_PORT}`) } }, servers, others: [], leader, takesWrites: () => takesWrite(machines) };
}

/** Members that have lost their majority elect a leader first. */
async function takesWrite(machines: readonly Machine[]): Promise<boolean> {
  const [command, ...args] = machines[0]?.at.command(etcdctlArgv(machines, WRITE_MS, 'put', 'a-write-of-the-tests', '')) ?? [];
  if (command === undefined) return false;
  return (await endOf(spawn(command, args, { stdio: 'ignore' }))) === 'exit code 0';
}

function redis(name: string, { at, host }: Machine, dir: string, password: string, more: readonly string[] = []): StoreProcess {
  const argv = (): string[] => ['redis-server', '--bind', host, '--port', String(REDIS_PORT), '--save', '', '--appendonly', 'no', '--requirepass', password, '--masterauth', password, '--repl-diskless-sync-delay', '0', ...more];
  return new StoreProcess({ name, at, dir: `${dir}/${name}`, argv, keepsData: false });
}

function sentinel({ at, host }: Machine, dir: string, primary: string, password: string): StoreProcess {
  const argv = (): string[] => {
    // It rewrites its file as it learns.
    const lines = [`port ${SENTINEL_PORT}`, `bind ${host}`, 'protected-mode no', `sentinel monitor mymaster ${primary} ${REDIS_PORT} 2`, `sentinel auth-pass mymaster ${password}`, `sentinel down-after-milliseconds mymaster ${SENTINEL_DOWN_MS}`, 'sentinel failover-timeout mymaster 5000', 'sentinel parallel-syncs mymaster 2'];
    writeFileSync(`${dir}/sentinel.conf`, `${lines.join('\n')}\n`);
    return ['redis-sentinel', `${dir}/sentinel.conf`];
  };
  return new StoreProcess({ name: `sentinel on ${host}`, at, dir, argv, keepsData: true });
}

function etcd({ at, host }: Machine, i: number, dir: string, initial: string): StoreProcess {
  const [client, peer] = [`http://${host}:${ETCD_PORT}`, `http://${host}:${ETCD_PEER_PORT}`];
  const urls = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
  const argv = (): string[] => ['etcd', '--name', `m${i}`, '--data-dir', `${dir}/data`, ...urls, '--initial-cluster', initial, '--initial-cluster-state', 'new', '--logger', 'zap'];
  return new StoreProcess({ name: `etcd-${i}`, at, dir, argv, keepsData: true });
}

async function answers({ at, host }: Machine, password: string): Promise<void> {
  await until(() => attempt(() => at.exec('redis-cli', '--no-auth-warning', '-h', host, '-a', password, 'ping')).includes('PONG'), `Redis on ${host}`, STARTED_MS);
}

function sentinelsSee(machines: readonly Machine[]): boolean {
  return machines.every(({ at, host }) => {
    const facts = at.exec('redis-cli', '-h', host, '-p', String(SENTINEL_PORT), 'sentinel', 'master', 'mymaster').split('\n');
    const value = (name: string): string => facts[facts.indexOf(name) + 1] ?? '';
    return value('num-slaves') === String(machines.length - 1) && value('num-other-sentinels') === String(machines.length - 1) && value('flags') === 'master';
  });
}

function etcdctl(machines: readonly Machine[], ...args: string[]): string {
  const [tool, ...rest] = etcdctlArgv(machines, ANSWER_MS, ...args);
  return machines[0]?.at.exec(tool, ...rest) ?? '';
}

function etcdctlArgv(machines: readonly Machine[], timeoutMs: number, ...args: string[]): [string, ...string[]] {
  const endpoints = machines.map(({ host }) => `http://${host}:${ETCD_PORT}`).join();
  return ['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${endpoints}`, `--command-timeout=${timeoutMs}ms`, ...args];
}

function attempt<T>(work: () => T): T | '' {
  try {
    return work();
  } catch {
    return ''; // It is not there yet.
  }
}
