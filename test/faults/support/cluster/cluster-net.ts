import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../../../bench/support/line-process.ts';
import { Lab } from '../../../support/netns/lab.ts';
import type { Namespace } from '../../../support/netns/namespace.ts';
import { SCRATCH } from '../../../support/stores/scratch.ts';
import { TestRealm } from '../../../support/test-realm.ts';
import type { Relay } from '../relay.ts';
import type { Scene } from '../scene.ts';
import { etcdStore, redisStore, sentinelStore } from './stores.ts';
import type { Machine, Store } from './stores.ts';

/** Three relays of one cluster, their store, and peers: each relay and each server of the store behind a cable of its own. */
export interface ClusterNet {
  readonly relays: readonly Relay[];
  readonly store: Store | undefined;
  readonly peers: LineProcess;
  /** Of the peers, in order. */
  readonly peerIds: readonly string[];
  readonly realm: TestRealm;
  /** Drops every packet between two sets of machines, silently. @returns undoes it */
  part(some: readonly string[], others: readonly string[]): () => void;
  /** Cuts machines off from everything. */
  cutOff(hosts: readonly string[]): () => void;
  /** Drops what machines send; what is sent to them arrives. */
  mute(hosts: readonly string[]): () => void;
  /** Where the peers are. */
  readonly home: Machine;
  relayAt(i: number): Namespace;
  relayHost(i: number): string;
  storeHost(i: number): string;
}

export type StoreKind = 'gossip' | 'redis' | 'sentinel' | 'etcd';

export interface ClusterSetup {
  readonly kind: StoreKind;
  readonly peers: number;
  /** The limits over the cluster, as the section `coordination` has them. */
  readonly limits: object;
  /** Anyone is served, under no limits but those; else members only, each peer being one. */
  readonly open?: boolean;
}

const RELAYS = 3;
const STORES = 3;
const RELAY_PORT = 4001;
const PEERS_PROGRAM = fileURLToPath(new URL('../../programs/cluster-peers.ts', import.meta.url));

const NO_RATES = { reservePerPeer: 'unlimited', connectPerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited' };
const ROOMY = { rates: NO_RATES, reservations: { max: 10_000, perPrefix: 'unlimited' } };

/** All strangers come from one address, as fast as they can. */
const MANY_FROM_ONE_PLACE = { inboundPerPrefix: '1000/s', pendingPerPrefix: 256 };

const MAKE_STORE = { gossip: undefined, redis: redisStore, sentinel: sentinelStore, etcd: etcdStore } as const;
const SERVERS: Record<StoreKind, number> = { gossip: 0, redis: 1, sentinel: STORES, etcd: STORES };

/** Each peer is a member by its id, so that what one is served shows whether it still is one. */
export async function clusterNet(scene: Scene, { kind, peers: count, limits, open = false }: ClusterSetup): Promise<ClusterNet> {
  const lab = new Lab();
  scene.defer(() => lab.close());
  const router = lab.router('net');
  const attach = (name: string, net: string): Machine => {
    const at = lab.host(name);
    lab.cable(router, `${net}.1`, at, `${net}.2`);
    at.defaultRoute(`${net}.1`);
    return { at, host: `${net}.2` };
  };
  const machines = Array.from({ length: RELAYS }, (_, i) => attach(`relay${i}`, `45.1.${i + 1}`));
  const storeMachines = Array.from({ length: SERVERS[kind] }, (_, i) => attach(`store${i}`, `45.2.${i + 1}`));
  const home = attach('peers', '45.3.0');
  const realm = await TestRealm.create();
  scene.defer(() => realm.remove());

  const peers = startPeers(scene, home.at);
  const { peerIds } = await (await peers).order<{ peerIds: string[] }>('make', { count });
  const dir = scene.fleet.dataDir('stores');
  mkdirSync(dir, { recursive: true });
  const secret = (name: string, text: string): string => {
    writeFileSync(`${dir}/${name}`, text, { mode: 0o600 });
    return `${dir}/${name}`;
  };
  const password = randomBytes(16).toString('hex');
  const scratch = mkdtempSync(join(SCRATCH, 'relayd-stores-'));
  scene.defer(() => rmSync(scratch, { recursive: true, force: true }));
  const store = await MAKE_STORE[kind]?.({ machines: storeMachines, dir: scratch, password, passwordFile: secret('password', password) });
  if (store !== undefined) scene.defer(() => Promise.all([...store.others, ...store.servers].filter((one) => one.isRunning).map((one) => one.kill())));

  const secretFile = secret('cluster-secret', randomBytes(32).toString('hex'));
  const ids = await Promise.all(machines.map((_, i) => scene.fleet.peerId(`relay-${i}`)));
  const config = (i: number): Record<string, unknown> => ({
    profile: 'tier3',
    network: { allowPrivate: true, listen: [`/ip4/${machines[i]?.host}/tcp/${RELAY_PORT}`] },
    ...(open ? { connections: MANY_FROM_ONE_PLACE, relay: { open, limits: ROOMY } } : { realm: { ...(i === 0 ? realm.relayKeys : realm.memberKeys), members: peerIds }, relay: { open, prefixes: { exempt: ['45.0.0.0/8'] }, memberLimits: { rates: NO_RATES } } }),
    coordination: {
      ...(store?.config ?? { backend: 'gossip', relays: machines.flatMap(({ host }, j) => (j === i ? [] : [`/ip4/${host}/tcp/${RELAY_PORT}/p2p/${ids[j]}`])) }),
      cluster: 'faults',
      secretFile,
      ...limits,
    },
  });
  const relays = await Promise.all(machines.map(({ at }, i) => scene.relay({ name: `relay-${i}`, config: config(i), prefix: at.command([]) })));
  const between = (some: readonly string[], others: readonly string[]): string[] => some.flatMap((a) => others.flatMap((b) => [`ip saddr ${a} ip daddr ${b}`, `ip saddr ${b} ip daddr ${a}`]));
  return {
    relays,
    store,
    peers: await peers,
    peerIds,
    realm,
    part: (some, others) => dropAll(router, between(some, others)),
    cutOff: (hosts) => dropAll(router, hosts.flatMap((host) => [`ip saddr ${host}`, `ip daddr ${host}`])),
    mute: (hosts) => dropAll(router, hosts.map((host) => `ip saddr ${host}`)),
    home,
    relayAt: (i) => machineAt(machines, i),
    relayHost: (i) => machines[i]?.host ?? '',
    storeHost: (i) => storeMachines[i]?.host ?? '',
  };
}

function machineAt(machines: readonly Machine[], i: number): Namespace {
  const machine = machines[i];
  if (machine === undefined) throw new Error(`there is no relay ${i}`);
  return machine.at;
}

function dropAll(router: Namespace, matches: readonly string[]): () => void {
  const undo = matches.map((match) => router.filter(match, 'drop'));
  return () => undo.forEach((one) => one());
}

async function startPeers(scene: Scene, at: Namespace): Promise<LineProcess> {
  const [command, ...args] = at.command([process.execPath, '--disable-warning=ExperimentalWarning', PEERS_PROGRAM]);
  const peers = new LineProcess('cluster-peers', command, args);
  scene.defer(() => peers.stop());
  await peers.ready();
  return peers;
}
