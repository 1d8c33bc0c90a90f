import type { Refusal } from '../lib/circuit/messages.ts';
import { Status } from '../lib/circuit/protocol.ts';
import { RelaydError } from '../lib/errors.ts';

/** Whoever is refused for what he is has to wait for an operator, not for room: often enough to notice, and no load on the relay. */
const DENIED_WAIT_MS = 60_000;

/** A relay's explanation of its refusal; `undefined` when there is none. */
export function refusalOf(error: unknown): Refusal | undefined {
  return error instanceof RelaydError ? (error.data.refusal as Refusal | undefined) : undefined;
}

/** What a relay's refusal says of when to come back, in milliseconds; 0 when it says nothing of it. */
export function retryAfterMs(error: unknown): number {
  const isDenied = error instanceof RelaydError && error.data.status === Status.PERMISSION_DENIED;
  return Math.max(isDenied ? DENIED_WAIT_MS : 0, (refusalOf(error)?.retryAfterSeconds ?? 0) * 1000);
}
