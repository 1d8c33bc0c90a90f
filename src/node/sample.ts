import type { Registry } from 'prom-client';
import type { ClientView, RelayView, Sample, TunnelView } from '../lib/contracts.ts';
import type { EventLoopDelay } from './event-loop.ts';

export interface SampleSources {
  registry: Registry;
  connections: number;
  relay: RelayView | undefined;
  client: ClientView | undefined;
  tunnels: TunnelView | undefined;
  delay: EventLoopDelay;
}

/** What the node is doing now, for the plots of the status page. */
export async function sampleOf({ registry, connections, relay, client, tunnels, delay }: SampleSources): Promise<Sample> {
  const { rss, heapUsed } = process.memoryUsage();
  const relayed = relay === undefined ? undefined : relay.counts();
  return {
    gauges: {
      ...(relayed === undefined ? {} : relayGauges(relayed)),
      connections,
      ...(client === undefined ? {} : { heldReservations: client.held }),
      ...(tunnels === undefined ? {} : { openTunnels: tunnels.tunnels().reduce((sum, { open }) => sum + open, 0) }),
      delayP99Ms: delay.p99Ms(),
      delayMaxMs: delay.maxMs(),
      rssBytes: rss,
      heapBytes: heapUsed,
    },
    totals: {
      ...(relayed === undefined ? {} : { relayedBytes: relayed.bytesRelayed }),
      ...(tunnels === undefined ? {} : await tunnelTotals(registry)),
    },
    refusals: await refusals(registry),
  };
}

function relayGauges({ classes, bufferedBytes }: ReturnType<RelayView['counts']>): Sample['gauges'] {
  return {
    publicReservations: classes.public.reservations.count,
    memberReservations: classes.member.reservations.count,
    publicCircuits: classes.public.circuits.count,
    memberCircuits: classes.member.circuits.count,
    bufferedBytes,
  };
}

async function tunnelTotals(registry: Registry): Promise<Sample['totals']> {
  const bytes = await sums(registry, 'relayd_tunnel_bytes_total', 'flow');
  return { tunnelSentBytes: bytes.get('sent') ?? 0, tunnelReceivedBytes: bytes.get('received') ?? 0 };
}

/** The limits of a relay by their own names, those of connections by the names of their keys. */
async function refusals(registry: Registry): Promise<Record<string, number>> {
  const [requests, connections] = await Promise.all([sums(registry, 'relayd_relay_refusals_total', 'limit'), sums(registry, 'relayd_connections_refused_total', 'limit')]);
  return Object.fromEntries([...requests, ...[...connections].map(([limit, count]): [string, number] => [`connections.${limit}`, count])]);
}

/** A counter's values, added up over its other labels; empty when the node has no such counter. */
async function sums(registry: Registry, name: string, label: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { labels, value } of (await registry.getSingleMetric(name)?.get())?.values ?? []) {
    const key = String((labels as Record<string, unknown>)[label]);
    found.set(key, (found.get(key) ?? 0) + value);
  }
  return found;
}
