import type { Clock } from '../lib/clock.ts';
import type { Candidate } from './candidate.ts';
import type { ClientMetrics } from './metrics.ts';

/** Sets the gauges of when the supervisor next has something to do. @param surveyAt on the monotonic clock */
export function reportWork(candidates: Iterable<Candidate>, surveyAt: number, clock: Clock, metrics: ClientMetrics): void {
  const all = [...candidates];
  const renewals = all.map((candidate) => candidate.held?.renewalDueAt ?? Infinity);
  const backoffs = all.filter((candidate) => candidate.held === undefined).map((candidate) => candidate.retryAt);
  metrics.scheduled('reservation refresh', nextUnixSeconds(renewals, clock));
  metrics.scheduled('clear backoff', nextUnixSeconds(backoffs, clock));
  metrics.scheduled('old candidate check', nextUnixSeconds([surveyAt], clock));
}

/** The first of these times of the monotonic clock that is to come; `undefined` when none is. */
export function nextUnixSeconds(times: readonly number[], clock: Clock): number | undefined {
  const next = Math.min(...times.filter((time) => time > clock.now()));
  return Number.isFinite(next) ? Math.round((clock.wall() + next - clock.now()) / 1000) : undefined;
}
