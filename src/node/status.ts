import type { Libp2p } from 'libp2p';
import type { RelaydConfig } from '../config/domain.ts';
import type { ClientView, NodeState, PeerRow, RelayView, TunnelView } from '../lib/contracts.ts';
import { isCircuit } from '../lib/addresses.ts';
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
  tunnels: TunnelView | undefined;
  delay: EventLoopDelay;
}

/** What `GET /api/v1/status` answers. */
export function statusOf(sources: StatusSources): Record<string, unknown> {
  const { config, client, relay, tunnels } = sources;
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
    ...(client === undefined ? {} : { client: { desired: client.desired, held: client.held, circuitAddrs: client.circuitAddrs() } }),
    ...(tunnels === undefined ? {} : { tunnels: tunnels.tunnels() }),
    process: { pid: process.pid, node: process.version, rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: { p99: sources.delay.p99Ms(), max: sources.delay.maxMs() } },
  };
}

function pick({ low, high, max }: RelaydConfig['connections']): Record<string, number> {
  return { low, high, max };
}

/** Who is connected now, the node's own check peers left out. */
export async function peerRows(libp2p: Libp2p, internal: ReadonlySet<string>, reserved: ReadonlySet<string>): Promise<PeerRow[]> {
  const shown = libp2p.getConnections().filter(({ remotePeer }) => !internal.has(remotePeer.toString()));
  return Promise.all(
    shown.map(async (connection) => ({
      peer: connection.remotePeer.toString(),
      addr: connection.remoteAddr.toString(),
      direction: connection.direction,
      path: isCircuit(connection.remoteAddr) ? ('relay' as const) : ('direct' as const),
      openedAt: new Date(connection.timeline.open).toISOString(),
      streams: connection.streams.length,
      agent: await agentOf(libp2p, connection.remotePeer),
      reserved: reserved.has(connection.remotePeer.toString()),
    })),
  );
}

async function agentOf(libp2p: Libp2p, peer: Libp2p['peerId']): Promise<string | undefined> {
  try {
    const agent = (await libp2p.peerStore.get(peer)).metadata.get('AgentVersion');
    return agent === undefined ? undefined : peerText(new TextDecoder().decode(agent));
  } catch {
    return undefined; // The store does not know the peer: it has just left.
  }
}
