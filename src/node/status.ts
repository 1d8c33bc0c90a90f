import type { Connection } from '@libp2p/interface';
import type { Libp2p } from 'libp2p';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RelaydConfig } from '../config/domain.ts';
import type { ClientView, NodeState, PeerRow, ReachabilityView, RelayView, TunnelView, Upgrade, UpgradeState } from '../lib/contracts.ts';
import { isCircuit, relayOf } from '../lib/addresses.ts';
import { peerText } from '../lib/logger.ts';
import { resources } from '../lib/resources.ts';
import type { Realm } from '../realm/index.ts';
import type { EventLoopDelay } from './event-loop.ts';
import { VERSION } from './version.ts';

export interface StatusSources {
  peerId: string;
  config: RelaydConfig;
  state: NodeState;
  startedAt: number;
  addrs: string[];
  connections: number;
  relay: RelayView | undefined;
  client: ClientView | undefined;
  reachability: ReachabilityView | undefined;
  tunnels: TunnelView | undefined;
  /** Of the relays that this one belongs to. */
  cluster: object | undefined;
  realm: Pick<Realm, 'revocationCount' | 'revocationSequence' | 'token'>;
  delay: EventLoopDelay;
}

/** What `GET /api/v1/status` answers. */
export function statusOf(sources: StatusSources): Record<string, unknown> {
  const { config, client, reachability, relay, tunnels } = sources;
  return {
    peerId: sources.peerId,
    version: VERSION,
    profile: config.profile,
    role: config.role,
    state: sources.state,
    uptimeSeconds: Math.floor((Date.now() - sources.startedAt) / 1000),
    addrs: sources.addrs,
    connections: { open: sources.connections, ...pick(config.connections) },
    ...(relay === undefined ? {} : { relay: relay.counts() }),
    ...(client === undefined ? {} : { client: { desired: client.desired, held: client.held, circuitAddrs: client.circuitAddrs(), ...reached(reachability) } }),
    ...(tunnels === undefined ? {} : { tunnels: tunnels.tunnels() }),
    ...realmStatus(sources),
    ...(sources.cluster === undefined ? {} : { cluster: sources.cluster }),
    process: { pid: process.pid, node: process.version, rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: { p99: sources.delay.p99Ms(), max: sources.delay.maxMs() }, ...resources() },
  };
}

/** Of a node that has no realm: nothing. */
function realmStatus({ config: { realm: { name, authority } }, realm }: StatusSources): Record<string, unknown> {
  const { token } = realm;
  if (name === undefined && authority === undefined && token === undefined) {
    return {};
  }
  const own = token === undefined ? null : { id: token.id, peer: token.peer ?? null, expiresAt: new Date(token.expiresAtWall).toISOString() };
  return { realm: { name: name ?? null, authority: authority ?? null, revocations: realm.revocationCount, sequence: realm.revocationSequence, token: own } };
}

function reached(found: ReachabilityView | undefined): Record<string, unknown> {
  return found === undefined ? {} : { reachability: found.value, reachableAddrs: found.confirmed };
}

function pick({ low, high, max }: RelaydConfig['connections']): Record<string, number> {
  return { low, high, max };
}

interface PeerSources {
  /** The node's own check peers, which are left out. */
  internal: ReadonlySet<string>;
  reserved: ReadonlySet<string>;
  upgradeOf: (connection: Connection) => Upgrade;
}

/** The peer store takes about 0.1 ms for each peer: for ten thousand at once the relay would stand still for a second. */
const SLICE_ROWS = 100;

/** Who is connected now. Between slices of rows the event loop goes on. */
export async function peerRows(libp2p: Libp2p, sources: PeerSources): Promise<PeerRow[]> {
  const shown = libp2p.getConnections().filter(({ remotePeer }) => !sources.internal.has(remotePeer.toString()));
  const rows: PeerRow[] = [];
  while (rows.length < shown.length) {
    if (rows.length > 0) await nextTurn();
    rows.push(...(await Promise.all(shown.slice(rows.length, rows.length + SLICE_ROWS).map((connection) => peerRow(libp2p, connection, sources)))));
  }
  return rows;
}

async function peerRow(libp2p: Libp2p, connection: Connection, { reserved, upgradeOf }: PeerSources): Promise<PeerRow> {
  return {
    peer: connection.remotePeer.toString(),
    addr: connection.remoteAddr.toString(),
    direction: connection.direction,
    ...pathOf(connection, upgradeOf),
    openedAt: new Date(connection.timeline.open).toISOString(),
    streams: connection.streams.length,
    agent: await agentOf(libp2p, connection),
    reserved: reserved.has(connection.remotePeer.toString()),
  };
}

function pathOf(connection: Connection, upgradeOf: PeerSources['upgradeOf']): Pick<PeerRow, 'path' | 'via' | 'upgrade' | 'upgradeReason'> {
  const via = relayOf(connection);
  return isCircuit(connection.remoteAddr) ? { path: 'relay', ...(via === undefined ? {} : { via }), ...upgradeFields(upgradeOf(connection)) } : { path: 'direct' };
}

/** As rows and answers show it. */
export function upgradeFields({ state, reason }: Upgrade): { upgrade: UpgradeState; upgradeReason?: string } {
  return { upgrade: state, ...(reason === undefined ? {} : { upgradeReason: reason }) };
}

/** A peer says on each connection once which program it is. */
const knownAgents = new WeakMap<Connection, string>();

async function agentOf(libp2p: Libp2p, connection: Connection): Promise<string | undefined> {
  const known = knownAgents.get(connection);
  if (known !== undefined) return known;
  try {
    const found = (await libp2p.peerStore.get(connection.remotePeer)).metadata.get('AgentVersion');
    if (found === undefined) return undefined;
    const agent = peerText(new TextDecoder().decode(found));
    knownAgents.set(connection, agent);
    return agent;
  } catch {
    return undefined; // The store does not know the peer: it has just left.
  }
}
