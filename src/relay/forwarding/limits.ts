import type { ClassLimits } from '../../config/domain.ts';
import type { Limit } from '../../lib/circuit/messages.ts';

type CircuitLimits = ClassLimits['circuits'];

/** What another relay says of a circuit's duration and bytes, in place of `own`; in all else `own`. Nothing, as 0, is unlimited. */
export function asTold(own: CircuitLimits, { durationSeconds = 0, dataBytes = 0 }: Limit = {}): CircuitLimits {
  return { ...own, durationMs: durationSeconds === 0 ? Infinity : durationSeconds * 1000, bytesPerDirection: dataBytes === 0 ? Infinity : dataBytes };
}

/** The tighter of both. */
export function tightened(own: CircuitLimits, limit: Limit | undefined): CircuitLimits {
  const told = asTold(own, limit);
  return { ...own, durationMs: Math.min(own.durationMs, told.durationMs), bytesPerDirection: Math.min(own.bytesPerDirection, told.bytesPerDirection) };
}
