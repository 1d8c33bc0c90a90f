import type { Connection } from '@libp2p/interface';
import type { Libp2p } from 'libp2p';
import type { RelaydConfig } from '../config/domain.ts';
import type { ClientView, NodeState, PeerRow, ReachabilityView, RelayView, TunnelView, Upgrade, UpgradeState } from '../lib/contracts.ts';
import { isCircuit, relayOf } from '../lib/addresses.ts';
import { peerText } from '../lib/logger.ts';
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
    process: { pid: process.pid, node: process.version, rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: { p99: sources.delay.p99Ms(), max: sources.delay.maxMs() } },
  };
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

/** Who is connected now. */
export async function peerRows(libp2p: Libp2p, { internal, reserved, upgradeOf }: PeerSources): Promise<PeerRow[]> {
  const shown = libp2p.getConnections().filter(({ remotePeer }) => !internal.has(remotePeer.toString()));
  return Promise.all(
    shown.map(async (connection) => ({
      peer: connection.remotePeer.toString(),
      addr: connection.remoteAddr.toString(),
      direction: connection.direction,
      ...pathOf(connection, upgradeOf),
      openedAt: new Date(connection.timeline.open).toISOString(),
      streams: connection.streams.length,
      agent: await agentOf(libp2p, connection.remotePeer),
      reserved: reserved.has(connection.remotePeer.toString()),
    })),
  );
}

function pathOf(connection: Connection, upgradeOf: PeerSources['upgradeOf']): Pick<PeerRow, 'path' | 'via' | 'upgrade' | 'upgradeReason'> {
  const via = relayOf(connection);
  return isCircuit(connection.remoteAddr) ? { path: 'relay', ...(via === undefined ? {} : { via }), ...upgradeFields(upgradeOf(connection)) } : { path: 'direct' };
}

/** As rows and answers show it. */
export function upgradeFields({ state, reason }: Upgrade): { upgrade: UpgradeState; upgradeReason?: string } {
  return { upgrade: state, ...(reason === undefined ? {} : { upgradeReason: reason }) };
}

async function agentOf(libp2p: Libp2p, peer: Libp2p['peerId']): Promise<string | undefined> {
  try {
    const agent = (await libp2p.peerStore.get(peer)).metadata.get('AgentVersion');
    return agent === undefined ? undefined : peerText(new TextDecoder().decode(agent));
  } catch {
    return undefined; // The store does not know the peer: it has just left.
  }
}
