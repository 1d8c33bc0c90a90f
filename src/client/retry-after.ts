import type { Refusal } from '../lib/circuit/messages.ts';
import { RelaydError } from '../lib/errors.ts';

/** A relay's explanation of its refusal; `undefined` when there is none. */
export function refusalOf(error: unknown): Refusal | undefined {
  return error instanceof RelaydError ? (error.data.refusal as Refusal | undefined) : undefined;
}

/** What a relay's refusal says of when to come back, in milliseconds; 0 when it says nothing. */
export function retryAfterMs(error: unknown): number {
  return (refusalOf(error)?.retryAfterSeconds ?? 0) * 1000;
}
