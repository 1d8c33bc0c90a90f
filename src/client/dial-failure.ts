import type { PeerId } from '@libp2p/interface';
import { RelaydError } from '../lib/errors.ts';
import { errorTexts } from './error-texts.ts';
import { RaceLost } from './race.ts';

interface Attempt {
  address: string;
  error: string;
}

/** No way to `peer` has led there: DIAL_FAILED with data {peer, attempts: [{address, error}]}. */
export function unreachable(peer: PeerId, lost: RaceLost): RelaydError {
  const attempts = lost.failures.map(({ label, error }): Attempt => ({ address: label, error: failureText(error) }));
  return new RelaydError('DIAL_FAILED', `cannot reach ${peer.toString()}${attemptsText(attempts)}`, { data: { peer: peer.toString(), attempts } });
}

/** The caller has given up, or waits no longer: CLOSED or TIMEOUT, with the attempts that `error` tells of. @param reason of the caller's signal */
export function outOfTime(peer: PeerId, error: unknown, reason: unknown): RelaydError {
  const code = reason instanceof Error && reason.name === 'AbortError' ? 'CLOSED' : 'TIMEOUT';
  const attempts = error instanceof RelaydError ? ((error.data.attempts as Attempt[] | undefined) ?? []) : [];
  const data = { peer: peer.toString(), attempts };
  return new RelaydError(code, `no connection to ${peer.toString()} in time${attemptsText(attempts)}`, { data, cause: reason });
}

function attemptsText(attempts: readonly Attempt[]): string {
  return attempts.length === 0 ? '' : `: ${attempts.map(({ address, error }) => `${address}: ${error}`).join('; ')}`;
}

function failureText(error: unknown): string {
  const nested = error instanceof RaceLost ? error.failures.map(({ label, error: inner }) => `${label}: ${failureText(inner)}`) : errorTexts(error);
  return nested.join('; ') || 'no address';
}
