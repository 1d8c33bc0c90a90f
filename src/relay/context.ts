import type { ClassLimits } from '../config/domain.ts';
import type { Limit } from '../lib/circuit/messages.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { AsnLookup } from './asn.ts';
import type { BufferLedger } from './buffer-ledger.ts';
import type { CircuitSlots } from './circuit-slots.ts';
import type { Circuits } from './circuits.ts';
import type { LimitClass } from './classes.ts';
import type { RelayHost } from './host.ts';
import type { RelayMetrics } from './metrics.ts';
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
  readonly stopped: AbortSignal;
  /** Accounts for bytes handed on, of any circuit. */
  readonly bytesMoved: (limitClass: LimitClass, bytes: number) => void;
  policy: Policy;
  asn: AsnLookup;
  draining: boolean;
}

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
