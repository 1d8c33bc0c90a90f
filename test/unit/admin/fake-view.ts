import type { ClusterView, NodeState, NodeView, PingResult } from '../../../src/lib/contracts.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

const PEERS = ['12D3KooWJffAYWBXc5tbzzQZvnZtvEiQUuNgCUhgaFp99qJB52jk', '12D3KooWALFQhy6Fgr7ZMZJvsLn7tGCEwhDbcKzWH5mkdqVxPotm', '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'] as const;
export const [SELF, ALICE, BOB] = PEERS;

/** A node to show, with two reservations and one circuit, that records what it is told to do. */
export class FakeView implements NodeView {
  current: NodeState = 'ready';
  problems: (signal: AbortSignal) => Promise<string[]> = () => Promise.resolve([]);
  role = 'both';
  checks = 0;
  drains = 0;
  reloads = 0;
  pings: { target: string; count: number; fresh: boolean }[] = [];
  pingResult: (target: string, count: number, signal: AbortSignal) => Promise<PingResult> = (target, count) =>
    Promise.resolve({ peer: target, path: 'relay', via: BOB, dialMs: 45.123, rttMs: Array.from({ length: count }, (_value, i) => 20 + i) });
  reloadResult: () => Promise<unknown> = () => Promise.resolve({ changed: ['log.level'], restartNeeded: ['network.listen'] });
  clusterResult: () => ClusterView = () => {
    throw new RelaydError('NO_CLUSTER', 'this node belongs to no cluster (coordination.backend is none)');
  };
  /** Beside what it always says. */
  moreStatus: Record<string, unknown> = {};
  onDrain: () => void = () => {};
  failWith: Error | undefined;
  relayedBytes = 1_288_490_188;
  warnings: string[] = [];
  refusals: Record<string, number> = { 'reservations.perPrefix': 0, 'rates.connectPerPeer': 0 };
  readonly startedAt = Date.now() - 7_384_000;

  peerId(): never {
    throw new Error('the admin server has no use for it');
  }

  status(): Record<string, unknown> {
    if (this.failWith !== undefined) throw this.failWith;
    return {
      peerId: SELF,
      version: '0.1.0',
      profile: 'tier1',
      role: this.role,
      state: this.current,
      uptimeSeconds: Math.floor((Date.now() - this.startedAt) / 1000),
      addrs: [`/ip4/203.0.113.7/tcp/4001/p2p/${SELF}`],
      connections: { open: 3, low: 160, high: 192, max: 4096 },
      relay: { reservations: { count: 2, max: 128 }, circuits: { count: 1, max: null }, bytesRelayed: 1_288_490_188, bufferedBytes: 65_536 },
      client: { desired: 2, held: 1, circuitAddrs: [`/ip4/198.51.100.4/tcp/4001/p2p/${BOB}/p2p-circuit/p2p/${SELF}`] },
      ...this.moreStatus,
      process: { pid: process.pid, rssBytes: 90_000_000, eventLoopDelayMs: { p99: 1.2, max: 5 } },
    };
  }

  state(): NodeState {
    return this.current;
  }

  reservations(): ReturnType<NodeView['reservations']> {
    const row = (peer: string, i: number): ReturnType<NodeView['reservations']>[number] => ({
      peer,
      class: i === 0 ? 'public' : 'member',
      addr: `/ip4/192.0.2.${i + 1}/tcp/50123`,
      openedAt: ago(200_000),
      expiresAt: ago(-3_400_500),
      renewals: i * 12,
      circuits: i,
    });
    return [row(ALICE, 0), row(BOB, 1)];
  }

  circuits(): ReturnType<NodeView['circuits']> {
    return [{ id: 7, class: 'public', source: ALICE, target: BOB, openedAt: ago(65_500), bytesToTarget: 131_072, bytesToSource: 900, bufferedBytes: 0, idleMs: 1_200 }];
  }

  peers(): ReturnType<NodeView['peers']> {
    return Promise.resolve([
      { peer: ALICE, addr: `/ip4/192.0.2.1/tcp/50123/p2p/${ALICE}`, direction: 'inbound', path: 'direct', openedAt: ago(200_000), streams: 3, agent: 'go-libp2p/0.44\u001b[31m<b>evil</b>', reserved: true },
    ]);
  }

  relays(): ReturnType<NodeView['relays']> {
    return [
      { peer: BOB, addr: `/ip4/198.51.100.4/tcp/4001/p2p/${BOB}`, state: 'reserved', source: 'manual', rttMs: 23.14, expiresAt: ago(-1_800_500), failures: 0, availability: 1, region: null, load: null, score: 50, draining: false },
      { peer: ALICE, addr: `/ip4/198.51.100.5/tcp/4001/p2p/${ALICE}`, state: 'backoff', source: 'bootstrap', rttMs: null, expiresAt: null, failures: 3, availability: 1, region: null, load: null, score: 50, draining: false, reason: '<img src=x onerror=alert(1)> connection refused', retryInSeconds: 42 },
    ];
  }

  checkReachability(ask: readonly string[]): ReturnType<NodeView['checkReachability']> {
    return Promise.resolve(ask.map((addr) => ({ addr, peer: BOB, seenAt: '203.0.113.7', dialBacks: [], relay: null })));
  }

  cluster(): ClusterView {
    return this.clusterResult();
  }

  rehearseFailover(): ReturnType<NodeView['rehearseFailover']> {
    return Promise.resolve({ dropped: BOB, heldBefore: 2, heldAfter: 1, recoveredMs: 12.5, tookOver: ALICE });
  }

  tunnels(): ReturnType<NodeView['tunnels']> {
    return [{ kind: 'expose', name: 'ssh', local: '127.0.0.1:22', peers: [ALICE], open: 1, opened: 12, refused: 2, failed: 0, lastError: null }];
  }

  async sample(): ReturnType<NodeView['sample']> {
    if (this.failWith !== undefined) throw this.failWith;
    return {
      gauges: { publicReservations: 1, memberReservations: 1, publicCircuits: 1, memberCircuits: 0, bufferedBytes: 65_536, connections: 3, heldReservations: 1, openTunnels: 1, delayP99Ms: 1.2, delayMaxMs: 5, rssBytes: 90_000_000, heapBytes: 30_000_000 },
      totals: { relayedBytes: this.relayedBytes, tunnelSentBytes: 0, tunnelReceivedBytes: 0 },
      refusals: { ...this.refusals },
    };
  }

  config(): ReturnType<NodeView['config']> {
    return [
      { key: 'role', value: 'both', origin: '--role', applies: 'restart' },
      { key: 'relay.limits.reservations.max', value: 128, origin: 'default', applies: 'live' },
      { key: 'admin.listen', value: '127.0.0.1:9641', origin: '/etc/relayd/relayd.yaml:3', applies: 'restart', afterRestart: '127.0.0.1:9642' },
    ];
  }

  metrics(): Promise<string> {
    return Promise.resolve('# TYPE relayd_up gauge\nrelayd_up 1\n');
  }

  readinessWarnings(): string[] {
    return this.warnings;
  }

  readinessProblems(signal: AbortSignal): Promise<string[]> {
    this.checks++;
    return this.problems(signal);
  }

  ping(target: string, { count, fresh, signal }: { count: number; fresh: boolean; signal: AbortSignal }): Promise<PingResult> {
    this.pings.push({ target, count, fresh });
    return this.pingResult(target, count, signal);
  }

  drain(): void {
    this.drains++;
    this.current = 'draining';
    this.onDrain();
  }

  async reload(): Promise<never> {
    this.reloads++;
    return (await this.reloadResult()) as never;
  }
}

function ago(ms: number): string {
  return new Date(Date.now() - ms).toISOString();
}
