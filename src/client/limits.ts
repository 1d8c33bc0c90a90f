import type { ConnectionLimits } from '@libp2p/interface';
import type { Limit } from '../lib/circuit/messages.ts';

/**
 * The limits of a circuit as libp2p shows them; `undefined` when there are none, which is what lets ordinary
 * protocols run over it. A field that is absent or 0 is unlimited (specification: "Limit").
 *
 * The numbers are those at the start: what is left is known only to the relay.
 */
export function connectionLimits(limit: Limit | undefined): ConnectionLimits | undefined {
  const limits: ConnectionLimits = {};
  if (limit?.durationSeconds !== undefined && limit.durationSeconds > 0) {
    limits.seconds = limit.durationSeconds;
  }
  if (limit?.dataBytes !== undefined && limit.dataBytes > 0) {
    limits.bytes = BigInt(limit.dataBytes);
  }
  return limits.seconds === undefined && limits.bytes === undefined ? undefined : limits;
}
