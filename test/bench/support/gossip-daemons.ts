import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { ClusterView } from '../../../src/lib/contracts.ts';
import { Relay } from '../../faults/support/relay.ts';
import { Fleet } from '../../support/fleet.ts';
import { Lab } from '../../support/netns/lab.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { noNamespaces } from '../../support/netns/why-not.ts';
import { until } from '../../support/waiting.ts';
import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';

/** Relays as people run them, each behind a cable of its own, and peers behind another. */
export interface Daemons {
  readonly relays: readonly MeteredRelay[];
  /** `load converge` (test/bench/load/README.md). */
  readonly load: LineProcess;
  stop(): Promise<void>;
}

export interface MeteredRelay {
  readonly relay: Relay;
  /** What has crossed its cable to and from other relays: whole packets of IP. */
  crossed(): { inBytes: number; outBytes: number };
}

export type Backend = 'gossip' | 'none';

const RELAY_PORT = 4001;

/** Of all relays: 45.1.N.2. */
const RELAY_NET = '45.1.0.0/16';
const PEERS_NET = '45.3.0';
/** Every peer has an address of its own out of it, so that what is counted for a prefix is one peer's. */
const PEER_NET = '45.4.0.0/16';

/** Others than the first, which start after each other, name so many in their files. */
const NAMED = 2;

const PATIENCE_MS = 120_000;

/** The profile's, but for what would refuse the few peers that ask for all the others. */
const ASKED_OFTEN = { circuits: { perSource: 'unlimited' }, rates: { connectPerPeer: 'unlimited', connectPerPrefix: 'unlimited' } };

/** @throws Error where there are no network namespaces (they need root), or no go to build the load with */
export async function startDaemons(count: number, backend: Backend): Promise<Daemons> {
  const reason = noNamespaces();
  if (reason !== false) throw new Error(reason);
  const undo: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of undo.toReversed()) await one();
  };
  try {
    return { ...(await startAll(count, backend, (one) => undo.push(one))), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startAll(count: number, backend: Backend, defer: (undo: () => Promise<unknown> | void) => void): Promise<Omit<Daemons, 'stop'>> {
  const program = await built(LOAD);
  const lab = new Lab();
  defer(() => lab.close());
  const { machines, home } = network(lab, count);
  const fleet = await Fleet.create();
  defer(() => fleet.stopAll());
  const coordination = clusterOf(fleet, backend);
  const relays: Relay[] = [];
  defer(() => Promise.all(relays.map((relay) => relay.kill())));
  for (const [i, at] of machines.entries()) {
    // One that is late because the others have the processors is no relay to be spared.
    const relay = { limits: ASKED_OFTEN, maxEventLoopDelay: 'unlimited' };
    const config = { profile: 'tier3', network: { allowPrivate: true, listen: [`/ip4/${hostOf(i)}/tcp/${RELAY_PORT}`] }, relay, coordination: coordination(relays) };
    relays.push(await Relay.start(fleet, { name: `relay-${i}`, config, prefix: at.command([]) }));
  }
  if (backend !== 'none') await until(async () => (await Promise.all(relays.map(seesAll))).every((seen) => seen === count), 'every relay is linked with every other', PATIENCE_MS);
  const [command, ...args] = home.command([program, 'converge', '--from', PEER_NET, ...relays.flatMap(({ addr }) => ['--relay', addr])]);
  const load = new LineProcess('load', command, args);
  defer(() => load.stop());
  await load.ready();
  return { relays: relays.map((relay, i) => ({ relay, crossed: () => crossed(machines[i] as Namespace) })), load };
}

function network(lab: Lab, count: number): { machines: Namespace[]; home: Namespace } {
  const router = lab.router('net');
  const attach = (name: string, net: string): Namespace => {
    const at = lab.host(name);
    lab.cable(router, `${net}.1`, at, `${net}.2`);
    at.defaultRoute(`${net}.1`);
    return at;
  };
  const machines = Array.from({ length: count }, (_, i) => attach(`relay${i}`, netOf(i)));
  machines.forEach(countPackets);
  const home = attach('peers', PEERS_NET);
  router.route(PEER_NET, `${PEERS_NET}.2`);
  home.ip('route', 'add', 'local', PEER_NET, 'dev', 'lo');
  return { machines, home };
}

const netOf = (i: number): string => `45.1.${i + 1}`;
const hostOf = (i: number): string => `${netOf(i)}.2`;

/** The section `coordination` of a relay that starts after others. */
function clusterOf(fleet: Fleet, backend: Backend): (others: readonly Relay[]) => object {
  if (backend === 'none') return () => ({ backend });
  const dir = fleet.dataDir('cluster');
  mkdirSync(dir, { recursive: true });
  const secretFile = `${dir}/secret`;
  writeFileSync(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  return (others) => ({ backend, secretFile, relays: others.slice(0, NAMED).map(({ addr }) => addr), limits: ASKED_OFTEN });
}

/** Relays that this one is linked with, and itself. */
async function seesAll(relay: Relay): Promise<number> {
  const { relays } = JSON.parse((await relay.get('/api/v1/cluster')).text) as ClusterView;
  return relays.filter(({ self, linked, state }) => state === 'ready' && (self || linked)).length;
}

const COUNTERS = { inBytes: ['input', 'saddr'], outBytes: ['output', 'daddr'] } as const;

function countPackets(at: Namespace): void {
  for (const [name, [hook, end]] of Object.entries(COUNTERS)) {
    at.exec('nft', 'add', 'counter', 'inet', 'lab', name);
    at.exec('nft', 'add', 'rule', 'inet', 'lab', hook, 'ip', end, RELAY_NET, 'counter', 'name', name);
  }
}

function crossed(at: Namespace): { inBytes: number; outBytes: number } {
  const { nftables } = JSON.parse(at.exec('nft', '-j', 'list', 'counters')) as { nftables: { counter?: { name: string; bytes: number } }[] };
  const bytes = (name: keyof typeof COUNTERS): number => nftables.find(({ counter }) => counter?.name === name)?.counter?.bytes ?? NaN;
  return { inBytes: bytes('inBytes'), outBytes: bytes('outBytes') };
}
