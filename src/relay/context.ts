import type { ClassLimits } from '../config/domain.ts';
import type { Limit } from '../lib/circuit/messages.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { RequestTracer } from '../lib/tracing/request-tracer.ts';
import type { Alternatives } from './alternatives.ts';
import type { AsnLookup } from './asn.ts';
import type { BufferLedger } from './buffer-ledger.ts';
import type { CircuitSlots } from './circuit-slots.ts';
import type { Circuits } from './circuits.ts';
import type { LimitClass } from './classes.ts';
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
  readonly reservations: Reservations;
  readonly slots: CircuitSlots;
  readonly circuits: Circuits;
  readonly ledgers: Record<LimitClass, BufferLedger>;
  readonly addresses: Omit<RelayAddressOptions, 'peerId'>;
  readonly alternatives: Alternatives;
  readonly memberships: MembershipWatch;
  /** Without it nothing is traced. */
  readonly tracer: RequestTracer | undefined;
  readonly stopped: AbortSignal;
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
