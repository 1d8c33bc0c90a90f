import type { ClusterView } from '../../../../src/lib/contracts.ts';
import type { ProbeOrder, ProbeReport } from '../../programs/cluster/protocol.ts';
import { nowMs } from '../time.ts';
import type { Cast } from './cast.ts';
import type { ClusterNet } from './cluster-net.ts';
import { tcpWaits } from './tcp-waits.ts';

/** What nobody can reach yet, since TCP itself waits to send again: markers, by their peer ids, and relays to which the prober's connection does. */
interface Excused {
  readonly targets: ReadonlySet<string>;
  readonly relays: ReadonlySet<string>;
}

const NOTHING: Excused = { targets: new Set(), relays: new Set() };

/** Looks whom TCP excuses, and remembers when anybody was for the last time. */
export class TcpExcuses {
  readonly #net: ClusterNet;
  readonly #cast: Cast;
  /** How many were excused at one time. */
  most = 0;
  lastAtMs = -Infinity;

  constructor(net: ClusterNet, cast: Cast) {
    this.#net = net;
    this.#cast = cast;
  }

  async look(): Promise<Excused> {
    const atMs = nowMs();
    const excused = await excusedByTcp(this.#net, this.#cast);
    const count = excused.targets.size + excused.relays.size;
    this.most = Math.max(this.most, count);
    if (count > 0) this.lastAtMs = atMs;
    return excused;
  }

  async isOver(): Promise<boolean> {
    const { targets, relays } = await this.look();
    return targets.size + relays.size === 0;
  }
}

/** A marker is excused when each of its reservations hangs on such a connection; one that is reserved at another relay as well is to be reached through that. */
async function excusedByTcp(net: ClusterNet, cast: Cast): Promise<Excused> {
  const waits = await tcpWaits(net);
  const isWaiting = (peer: string): boolean => holdersOf(net, cast, peer).every((i) => waits[i]?.has(peer) === true);
  const targets = new Set(targetsOf(net, cast).filter(isWaiting));
  const relays = new Set(net.relays.filter((_relay, i) => waits[i]?.has(net.peerIds[cast.prober] ?? '') === true).map(({ peerId }) => peerId));
  return { targets, relays };
}

/**
 * Every relay sees all, has no problem, and reaches every marker.
 *
 * @param tcp but for what it excuses at that moment
 */
export async function converged(net: ClusterNet, cast: Cast, tcp?: TcpExcuses): Promise<boolean> {
  if (!(await allSeen(net))) return false;
  const excused = (await tcp?.look()) ?? NOTHING;
  const through = net.relays.filter(({ peerId }) => !excused.relays.has(peerId));
  const targets = targetsOf(net, cast).filter((peer) => !excused.targets.has(peer));
  const reached = await probeAll(net, cast, { through, targets });
  return [...reached.values()].every((peers) => peers.size === targets.length);
}

function holdersOf({ peerIds }: ClusterNet, { markers }: Cast, peer: string): number[] {
  return [...markers.keys()].filter((i) => markers[i]?.some((marker) => peerIds[marker] === peer));
}

export function targetsOf({ peerIds }: ClusterNet, { markers }: Cast): string[] {
  return [...new Set(markers.flat())].map((i) => peerIds[i] ?? '');
}

export async function allSeen({ relays }: ClusterNet): Promise<boolean> {
  const views = await Promise.all(relays.map(viewOf));
  return views.every((view) => view?.problem === null && view.relays.length === relays.length);
}

interface Probed {
  readonly through: ClusterNet['relays'];
  readonly targets: readonly string[];
}

export async function probeAll({ peers }: ClusterNet, { prober }: Cast, { through, targets }: Probed): Promise<Map<string, Set<string>>> {
  const order: ProbeOrder = { from: prober, targets, relays: Object.fromEntries(through.map(({ peerId, addr }) => [peerId, addr])) };
  const { reached } = await peers.order<ProbeReport>('probe', { ...order });
  return new Map(Object.entries(reached).map(([relay, found]) => [relay, new Set(found)]));
}

export async function viewOf(relay: ClusterNet['relays'][number]): Promise<ClusterView | undefined> {
  const { status, text } = await relay.get('/api/v1/cluster').catch(() => ({ status: 0, text: '' }));
  return status === 200 ? (JSON.parse(text) as ClusterView) : undefined;
}
