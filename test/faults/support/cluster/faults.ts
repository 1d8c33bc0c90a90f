import { delay } from '../time.ts';
import type { ClusterNet, StoreKind } from './cluster-net.ts';

/** What is done to a cluster, and undone. */
export interface ClusterFault {
  readonly name: string;
  readonly title: string;
  /** The store loses its majority, and elects a leader when it has one again. */
  readonly stopsWrites?: boolean;
  /** How long it lasts, where it matters when it ends. */
  readonly lastsMs?: number;
  begin(net: ClusterNet): Promise<Broken>;
}

export interface Broken {
  heal(): Promise<void>;
  /** Relays that cannot count with the others while it lasts, and with how many each still can, itself included. */
  readonly apart: ReadonlyMap<number, number>;
  /** Relays whose circuits, and whose links, are cut with it. */
  readonly hit: readonly number[];
  /** Relays that have lost what they held. */
  readonly restarted: readonly number[];
}

const NOTHING: Omit<Broken, 'heal'> = { apart: new Map(), hit: [], restarted: [] };
/** Every relay is by itself. */
const ALONE = new Map([[0, 1], [1, 1], [2, 1]]);

type Way = 'kill' | 'freeze' | 'cut';
const WAYS: readonly Way[] = ['kill', 'freeze', 'cut'];
const DONE: Record<Way, string> = { kill: 'killed (SIGKILL) and started again', freeze: 'frozen (SIGSTOP)', cut: 'cut off in silence' };

/** The relay that is broken: not the one that reads the realm's list. */
export const VICTIM = 1;

/** What it sends is lost first, for so long, while what it is sent arrives: so bytes are under way both ways, on every connection that is used. */
const MUTE_MS = 250;

/**
 * TCP sends again after 0.2, 0.6, 1.4, 3.0 and 6.2 s, and then after 12.6 s: a cut that ends right after the fifth time in vain is the one after which it
 * waits the longest, for its length.
 */
const AFTER_FIFTH_MS = 6_500;

export function faultsOf(kind: StoreKind): ClusterFault[] {
  const relays = WAYS.map((way) => relayFault(way, kind));
  const split: ClusterFault = { name: 'split', title: 'one relay is split from the other two, in silence; the store is seen by all', begin: (net) => splitRelays(net, kind) };
  if (kind === 'gossip') return [...relays, split];
  if (kind === 'redis') return [...WAYS.map((way) => storeFault(way, 1, 'Redis is')), ...relays, split];
  if (kind === 'sentinel') return WAYS.map((way) => storeFault(way, 1, 'the primary, watched by three sentinels, is'));
  return [...WAYS.map((way) => storeFault(way, 1, "etcd's leader, one of three members, is")), ...WAYS.map((way) => storeFault(way, 2, 'two of three members of etcd are')), ...relays, split];
}

/** @param count servers that are broken, the leader first */
function storeFault(way: Way, count: number, who: string): ClusterFault {
  return {
    name: `${count === 2 ? 'two-' : ''}store-${way}`,
    title: `${who} ${DONE[way]}`,
    stopsWrites: count > 1,
    begin: async (net) => {
      const servers = net.store?.servers ?? [];
      const leader = net.store?.leader() ?? 0;
      const broken = Array.from({ length: count }, (_, i) => (leader + i) % servers.length);
      const heals = await Promise.all(broken.map((i) => breakServer(net, i, way)));
      // Where Redis counts, nobody does until it, or a replica, is there. Where relays count, one that gets no answer in time is by itself for a second.
      return { ...NOTHING, apart: ALONE, heal: async () => void (await Promise.all(heals.map((heal) => heal()))) };
    },
  };
}

/** Where relays count together, any of them may be the one that the others have to ask, until its lease is over. */
function apartFrom(kind: StoreKind): Broken['apart'] {
  return kind === 'redis' ? new Map([[VICTIM, 1]]) : ALONE;
}

async function breakServer(net: ClusterNet, i: number, way: Way): Promise<() => Promise<void>> {
  const server = net.store?.servers[i];
  if (server === undefined) throw new Error(`there is no server ${i}`);
  if (way === 'cut') {
    const undo = net.cutOff([net.storeHost(i)]);
    return async () => undo();
  }
  if (way === 'freeze') {
    server.signal('SIGSTOP');
    return async () => server.signal('SIGCONT');
  }
  await server.kill();
  return () => server.start();
}

function relayFault(way: Way, kind: StoreKind): ClusterFault {
  return {
    name: `relay-${way}`,
    title: `a relay is ${DONE[way]}`,
    ...(way === 'cut' ? { lastsMs: AFTER_FIFTH_MS } : {}),
    begin: async (net) => {
      const relay = net.relays[VICTIM];
      if (relay === undefined) throw new Error('there is no such relay');
      const broken = { ...NOTHING, hit: [VICTIM], apart: apartFrom(kind) };
      if (way === 'cut') return { ...broken, heal: await cutUnderWay(net, net.relayHost(VICTIM)) };
      if (way === 'freeze') {
        relay.signal('SIGSTOP');
        return { ...broken, heal: async () => relay.signal('SIGCONT') };
      }
      await relay.kill();
      return { ...broken, restarted: [VICTIM], heal: () => relay.start() };
    },
  };
}

async function cutUnderWay(net: ClusterNet, host: string): Promise<() => Promise<void>> {
  const unmute = net.mute([host]);
  await delay(MUTE_MS);
  const undo = net.cutOff([host]);
  return async () => {
    unmute();
    undo();
  };
}

async function splitRelays(net: ClusterNet, kind: StoreKind): Promise<Broken> {
  const undo = net.part([net.relayHost(VICTIM)], [net.relayHost(0), net.relayHost(2)]);
  return { ...NOTHING, hit: [VICTIM], apart: kind === 'redis' ? new Map() : apartFrom(kind), heal: async () => undo() };
}
