import type { Multiaddr } from '@multiformats/multiaddr';
import type { ClassLimits } from '../config/domain.ts';
import type { Limit } from '../lib/circuit/messages.ts';
import type { Clock } from '../lib/clock.ts';
import type { RelayCluster } from '../lib/cluster/relay-cluster.ts';
import type { Logger } from '../lib/logger.ts';
import type { RequestTracer } from '../lib/tracing/request-tracer.ts';
import type { Alternatives } from './alternatives.ts';
import type { AsnLookup } from './asn.ts';
import type { BufferLedger } from './buffer-ledger.ts';
import type { CircuitSlots } from './circuit-slots.ts';
import type { Circuits } from './circuits.ts';
import type { LimitClass } from './classes.ts';
import type { ForwardMetrics } from './forwarding/metrics.ts';
import type { GlobalLimits } from './global/global-limits.ts';
import type { RelayHost } from './host.ts';
import type { MembershipWatch } from './membership-watch.ts';
import type { RelayMetrics } from './metrics.ts';
import { Refused } from './refusal.ts';
import type { Policy } from './policy.ts';
import type { RelayAddressOptions } from './relay-addresses.ts';
import type { Reservations } from './reservations.ts';

/** What the request handlers share; owned by the service, `policy` and `draining` change while it runs. */
export interface RelayContext {
  readonly host: RelayHost;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RelayMetrics;
  readonly forwards: ForwardMetrics;
  readonly reservations: Reservations;
  readonly slots: CircuitSlots;
  readonly circuits: Circuits;
  readonly ledgers: Record<LimitClass, BufferLedger>;
  readonly addresses: Omit<RelayAddressOptions, 'peerId'>;
  /** Of the cluster's other relays, to be named in reservations too. */
  readonly clusterAddrs: () => readonly Multiaddr[];
  readonly alternatives: Alternatives;
  readonly memberships: MembershipWatch;
  /** Without it nothing is traced. */
  readonly tracer: RequestTracer | undefined;
  readonly stopped: AbortSignal;
  /** What this relay is one of; without it everything is decided here. */
  readonly cluster: RelayCluster | undefined;
  /** What is counted over the cluster; there with it. */
  readonly global: GlobalLimits | undefined;
  /** How late the event loop runs, in milliseconds. */
  readonly eventLoopDelayMs: () => number;
  /** Accounts for bytes handed on, of any circuit. */
  readonly bytesMoved: (limitClass: LimitClass, bytes: number) => void;
  policy: Policy;
  asn: AsnLookup;
  draining: boolean;
  maxEventLoopDelayMs: number;
}

/** New work waits for better times before old work suffers. @throws Refused `event loop` */
export function checkLoad({ eventLoopDelayMs, maxEventLoopDelayMs }: RelayContext, limitClass: LimitClass): void {
  const delayMs = eventLoopDelayMs();
  // The node's own check has a bound of its own, and says so.
  if (delayMs > maxEventLoopDelayMs && limitClass !== 'internal') {
    throw new Refused('event loop', { current: delayMs, maximum: maxEventLoopDelayMs, retryAfterMs: LOAD_RETRY_MS });
  }
}

/** What a new circuit may come to hold must fit beside what the others hold already. @throws Refused `memory.total` */
export function checkMemory({ ledgers, policy }: RelayContext, limitClass: LimitClass): void {
  const { held, maximum } = ledgers[limitClass];
  if (held + 2 * policy.limits(limitClass).memory.perDirection > maximum) {
    throw new Refused('memory.total', { current: held, maximum, retryAfterMs: 1000 });
  }
}

/** The delay is looked at over 5 to 10 s. */
const LOAD_RETRY_MS = 5_000;

/**
 * The limit that a reply names: seconds, and bytes in each direction. What is unlimited is left out, and a limit with nothing
 * in it too (conformance 5): go-libp2p calls a connection limited whenever the message is there.
 */
export function limitMessage(limits: ClassLimits['circuits']): Limit | undefined {
  const limit: Limit = {};
  if (Number.isFinite(limits.durationMs)) {
    limit.durationSeconds = Math.max(1, Math.ceil(limits.durationMs / 1000));
  }
  if (Number.isFinite(limits.bytesPerDirection)) {
    limit.dataBytes = limits.bytesPerDirection;
  }
  return Object.keys(limit).length === 0 ? undefined : limit;
}
