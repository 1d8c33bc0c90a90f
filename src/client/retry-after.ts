import type { Refusal } from '../lib/circuit/messages.ts';
import { RelaydError } from '../lib/errors.ts';

/** What a relay's refusal says of when to come back, in milliseconds; 0 when it says nothing. */
export function retryAfterMs(error: unknown): number {
  const refusal = error instanceof RelaydError ? (error.data.refusal as Refusal | undefined) : undefined;
  return (refusal?.retryAfterSeconds ?? 0) * 1000;
}
