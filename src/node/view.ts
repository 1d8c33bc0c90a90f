import type { Connection } from '@libp2p/interface';
import type { RelaydConfig } from '../config/domain.ts';
import { configRows } from '../config/index.ts';
import type { EffectiveConfig } from '../config/index.ts';
import type { ClusterView, NodeState, NodeView, RehearsalResult, Upgrade } from '../lib/contracts.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { ping } from './ping.ts';
import { asRunning } from './running.ts';
import type { Running } from './running.ts';
import { sampleOf } from './sample.ts';
import { peerRows, statusOf } from './status.ts';

interface ViewSources {
  /** `undefined` while the node is stopped. */
  running: () => Running | undefined;
  state: () => NodeState;
  config: () => RelaydConfig;
  /** Where the values of the config come from; without it nothing is shown of that. */
  layers: { readonly started: EffectiveConfig; readonly read: EffectiveConfig } | undefined;
  addrs: () => string[];
  drain: () => void;
  reload: NodeView['reload'];
  log: Logger;
}

/** What the admin server and the commands show of a node, and what they may have it do. */
export function viewOf(node: ViewSources): NodeView {
  const { running, layers } = node;
  const now = (): Running => asRunning(running());
  const upgradeOf = (connection: Connection): Upgrade => running()?.rooms.punching?.upgradeOf(connection) ?? { state: 'none' };
  return {
    peerId: () => now().identity.peerId,
    state: node.state,
    status: () => status(now(), node),
    reservations: () => running()?.rooms.relay?.reservations() ?? [],
    circuits: () => running()?.rooms.relay?.circuits() ?? [],
    peers: () => peers(now(), upgradeOf),
    relays: () => running()?.rooms.client?.candidates() ?? [],
    tunnels: () => running()?.rooms.tunnels?.tunnels() ?? [],
    sample: () => sample(now()),
    cluster: () => cluster(now()),
    config: () => (layers === undefined ? [] : configRows(layers.started, layers.read)),
    metrics: async () => (await Promise.all(now().registries.map((registry) => registry.metrics()))).join('\n'),
    readinessWarnings: () => readinessWarnings(running()),
    readinessProblems: (signal) => now().readiness.problems(signal),
    ping: (target, options) => ping(now().rooms.dialler, target, { ...options, upgradeOf }),
    drain: node.drain,
    reload: node.reload,
    checkReachability: (ask, signal) => now().outside.ask(ask, signal),
    rehearseFailover: async (signal) => await rehearseFailover(now(), node.log, signal),
  };
}

function status({ identity, rooms, startedAt }: Running, { config, state, addrs }: ViewSources): Record<string, unknown> {
  return statusOf({
    peerId: identity.peerId.toString(),
    config: config(),
    state: state(),
    startedAt,
    addrs: addrs(),
    connections: rooms.keeper.open,
    relay: rooms.relay,
    client: rooms.client,
    reachability: rooms.reachability,
    tunnels: rooms.tunnels,
    realm: rooms.realm,
    cluster: rooms.coordination?.summary(),
    delay: rooms.eventLoop,
  });
}

function sample({ rooms: { keeper, relay, client, tunnels, eventLoop, registry } }: Running): ReturnType<NodeView['sample']> {
  return sampleOf({ registry, connections: keeper.open, relay, client, tunnels, delay: eventLoop });
}

function peers({ rooms }: Running, upgradeOf: (connection: Connection) => Upgrade): ReturnType<NodeView['peers']> {
  return peerRows(rooms.host.libp2p, { internal: rooms.selfCheck.peers, reserved: rooms.relay?.protectedPeers() ?? new Set(), upgradeOf });
}

function cluster({ rooms: { coordination } }: Running): ClusterView {
  if (coordination === undefined) {
    throw new RelaydError('NO_CLUSTER', 'this node is in no cluster: coordination.backend is none');
  }
  return coordination.view();
}

function readinessWarnings(running: Running | undefined): string[] {
  const warning = running?.rooms.coordination?.warning();
  return warning === undefined ? [] : [warning];
}

async function rehearseFailover({ rooms: { client } }: Running, log: Logger, signal: AbortSignal): Promise<RehearsalResult> {
  if (client === undefined) {
    throw new RelaydError('BAD_REQUEST', 'a relay holds no reservations: rehearse on a client');
  }
  log.warn({ event: 'failover-rehearsal' }, 'the best relay is dropped: a rehearsal was asked for over the admin API');
  return await client.rehearseFailover(signal);
}
