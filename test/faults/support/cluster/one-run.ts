import type { Lag } from '../../programs/clients/protocol.ts';
import type { LoadReport, CircuitReport } from '../../programs/cluster/protocol.ts';
import { settled } from './settle.ts';
import { delay, nowMs } from '../time.ts';
import { lostReservations, mostHeld, revokedAdmitted, wrongCounters } from './checker.ts';
import type { RelayState } from './checker.ts';
import type { Cast } from './cast.ts';
import type { ClusterNet } from './cluster-net.ts';
import { TcpExcuses, allSeen, converged, probeAll, targetsOf, viewOf } from './converged.ts';
import { VICTIM } from './faults.ts';
import type { Broken, ClusterFault } from './faults.ts';

/** How long the load runs before the fault, and how long that lasts: longer than a lease. */
const BEFORE_MS = 1_500;
const BROKEN_MS = 6_000;
/** The revocation comes in the middle of the fault. */
const REVOKED_AFTER_MS = 1_000;
/** It has reached every relay that can hear of it by then: the notice, or the next beat, and the file's own watch. */
const REVOKED_WITHIN_MS = 3_000;
/** Where it has not converged by then, it never does. */
const CONVERGED_WITHIN_MS = 30_000;

export interface RunResult {
  /** From the end of the fault until the store itself took writes again: 0 where it took some all the time, or is broken and healed at once. */
  readonly storeMs: number;
  /** From then on; what can be reached only over a connection whose TCP waits to send again counts from when that has. */
  readonly convergedMs: number | undefined;
  /** How many were excused by that, and how long after the end of the fault the last one still was. */
  readonly tcp: { readonly excused: number; readonly ms: number };
  /** Of that: until every relay saw all and had no problem. The rest is how long the peers took to try each member through each relay. */
  readonly seenMs: number | undefined;
  /** Of the peers' process, over the whole run. */
  readonly lag: Lag;
  /** How many more were held than the limit allows, and than the bound does. */
  readonly overshoot: number;
  readonly bound: number;
  readonly dropped: readonly CircuitReport[];
  readonly before: readonly number[];
  readonly during: readonly number[];
  /** Sentences of the checker. */
  readonly findings: readonly string[];
}

export interface RunOptions {
  readonly net: ClusterNet;
  readonly fault: ClusterFault;
  readonly cast: Cast;
  readonly limit: number;
  /** The how manieth run of the row: each revokes another member. */
  readonly number: number;
}

/** One fault from a healthy cluster to a healthy cluster, with load all the time. */
export async function oneRun({ net, fault, cast, limit, number }: RunOptions): Promise<RunResult> {
  const { peers, relays } = net;
  const addrs = Object.fromEntries(relays.map(({ peerId, addr }) => [peerId, addr]));
  const victim = cast.victims + number;
  await peers.order('take');
  await peers.order('open', { orders: circuitsOf(net, cast) });
  await peers.order('begin-circuits');
  await peers.order('load', { relays: addrs, ...cast.load, stayMs: [500, 2_000] });
  await delay(BEFORE_MS);

  const brokenAtMs = nowMs();
  const broken = await fault.begin(net);
  await delay(REVOKED_AFTER_MS);
  const revokedAtMs = nowMs();
  await net.realm.revoke(net.peerIds[victim] ?? '');
  await peers.order('knock', { peer: victim, relays: addrs });
  await delay((fault.lastsMs ?? BROKEN_MS) - REVOKED_AFTER_MS);
  await broken.heal();
  const healedAtMs = nowMs();
  const tcp = new TcpExcuses(net, cast);
  await tcp.look();
  // Those that come and go would take the places that the lost ones left.
  if (broken.restarted.length > 0) await peers.order('end-load');
  for (const i of broken.restarted) await reserveMarkers(net, cast, i);
  const fromMs = nowMs();
  const writes = fault.stopsWrites === true && net.store?.takesWrites !== undefined ? settled(CONVERGED_WITHIN_MS, net.store.takesWrites) : Promise.resolve(fromMs);
  const seenAtMs = await settled(CONVERGED_WITHIN_MS, () => allSeen(net));
  const convergedAtMs = await settled(CONVERGED_WITHIN_MS, () => converged(net, cast, tcp));
  const storeAtMs = (await writes) ?? nowMs();
  const wholeAtMs = tcp.most === 0 ? convergedAtMs : await wholeAfter(net, cast, tcp);
  await delay(Math.max(0, healedAtMs + REVOKED_WITHIN_MS + REVOKED_AFTER_MS - nowMs()));
  await peers.order('end-knock');
  await peers.order('end-load');
  const { circuits } = await peers.order<{ circuits: CircuitReport[] }>('circuits');
  const { lag } = await peers.order<{ lag: Lag }>('end-circuits');
  const findings = await lastFindings(net, cast);

  const { history, admissions } = await peers.order<LoadReport>('take');
  const revocation = { kind: 'revocation', peer: net.peerIds[victim] ?? '', atMs: revokedAtMs } as const;
  const cutOff = new Map([...broken.apart.keys(), ...broken.hit].map((i) => [relays[i]?.peerId ?? '', healedAtMs]));
  const load = history.filter(({ peer }) => peer !== revocation.peer);
  const markers = cast.markers.flat().length;
  return {
    storeMs: storeAtMs - fromMs,
    convergedMs: convergedAtMs === undefined || wholeAtMs === undefined ? undefined : Math.max(0, convergedAtMs - storeAtMs, wholeAtMs - Math.max(storeAtMs, tcp.lastAtMs)),
    tcp: { excused: tcp.most, ms: Math.max(0, tcp.lastAtMs - healedAtMs) },
    seenMs: seenAtMs === undefined ? undefined : Math.max(0, seenAtMs - storeAtMs),
    lag,
    overshoot: Math.max(0, mostHeld(load).count + markers - limit),
    bound: boundOf(broken, load, { limit, relays: relays.map(({ peerId }) => peerId), markers: cast.markers.map(({ length }) => length) }),
    dropped: circuits.filter((circuit) => !circuit.open && !isExcused(circuit, net, cast, broken)),
    before: admissions.filter(({ atMs }) => atMs < brokenAtMs).map(({ tookMs }) => tookMs),
    during: admissions.filter(({ atMs }) => atMs >= brokenAtMs && atMs < healedAtMs).map(({ tookMs }) => tookMs),
    findings: [...revokedAdmitted([...history, revocation], REVOKED_WITHIN_MS, cutOff), ...findings],
  };
}

/** When those that were excused are reached too. */
async function wholeAfter(net: ClusterNet, cast: Cast, tcp: TcpExcuses): Promise<number | undefined> {
  await settled(CONVERGED_WITHIN_MS, () => tcp.isOver());
  return settled(CONVERGED_WITHIN_MS, () => converged(net, cast));
}

/** docs/tier3: the limit, and for each relay apart what it held or its part, whichever is more. */
function boundOf({ apart }: Broken, history: LoadReport['history'], { limit, relays, markers }: { limit: number; relays: readonly string[]; markers: readonly number[] }): number {
  return [...apart].reduce((sum, [i, seen]) => {
    const held = mostHeld(history.filter((operation) => operation.kind !== 'revocation' && operation.relay === relays[i])).count + (markers[i] ?? 0);
    return sum + Math.max(held, Math.floor((limit * seen) / relays.length));
  }, 0);
}

export async function reserveMarkers({ peers, relays }: ClusterNet, { markers }: Cast, i: number): Promise<void> {
  const relay = relays[i];
  for (const peer of markers[i] ?? []) {
    // It may see the places of those that have just gone as taken for a moment.
    const admitted = await settled(CONVERGED_WITHIN_MS, () => isAdmitted(peers, peer, relay));
    if (admitted === undefined) throw new Error(`peer ${peer} was not admitted at relay ${i}`);
  }
}

async function isAdmitted(peers: ClusterNet['peers'], peer: number, relay: ClusterNet['relays'][number] | undefined): Promise<boolean> {
  const { attempt } = await peers.order<{ attempt: { outcome: string } }>('reserve', { peer, relay: relay?.peerId, addr: relay?.addr });
  return attempt.outcome === 'admitted';
}

/**
 * Each relay's first marker is called from the other relays' markers, through its own relay and through both others; and the one that is reserved at two,
 * through the relay that is broken.
 */
function circuitsOf({ relays }: ClusterNet, { markers, double }: Cast): { from: number; to: number; through: string }[] {
  const circuit = (through: number, to: number): { from: number; to: number; through: string } => ({ from: markers[through]?.[1] ?? 0, to, through: relays[through]?.addr ?? '' });
  return [...relays.flatMap((_relay, through) => markers.map((own) => circuit(through, own[0] ?? 0))), circuit(VICTIM, double)];
}

/** A circuit that begins, passes or ends where it was broken. */
function isExcused({ from, to, through }: CircuitReport, { relays }: ClusterNet, { markers }: Cast, { hit }: Broken): boolean {
  const at = (peer: number): number => markers.findIndex((own) => own.includes(peer));
  return [at(from), at(to), relays.findIndex(({ addr }) => addr === through)].some((i) => hit.includes(i));
}

/** What the checker finds once nobody comes or goes any more; counters have a moment to be set right. */
async function lastFindings(net: ClusterNet, cast: Cast): Promise<string[]> {
  let findings: string[] = [];
  // Of those that come and go, some went while nobody could hear it.
  const stay = new Set(cast.markers.flat().map((i) => net.peerIds[i]));
  await settled(CONVERGED_WITHIN_MS, async () => {
    const states = await Promise.all(net.relays.map(stateOf));
    findings = [...lostReservations(states.map((state) => ({ ...state, holds: state.holds.filter((peer) => stay.has(peer)) })), await probeAll(net, cast, { through: net.relays, targets: targetsOf(net, cast) })), ...wrongCounters(states, 'member/reservations.max/*')];
    return findings.length === 0;
  });
  return findings;
}

async function stateOf(relay: ClusterNet['relays'][number]): Promise<RelayState> {
  const rows = JSON.parse((await relay.get('/api/v1/reservations')).text) as { peer: string }[];
  const view = await viewOf(relay);
  return { relay: relay.peerId, holds: rows.map(({ peer }) => peer), counts: view?.limits ?? [] };
}
