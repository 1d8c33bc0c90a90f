import type { NodeView } from '../lib/contracts.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { assetReply, ASSETS_PATH } from './assets.ts';
import { RANGES } from './history.ts';
import type { Range } from './history.ts';
import { json } from './http.ts';
import type { Call, Reply } from './http.ts';
import { list } from './list.ts';
import { parsePing } from './ping-request.ts';
import { parseAsk } from './reachability-request.ts';
import type { Readiness } from './readiness.ts';
import type { Handler, Routes } from './router.ts';
import type { Sampling } from './sampling.ts';
import type { Scrapes } from './scrapes.ts';
import { statusPageReply } from './status-page.ts';

/** A first dial through a relay that has to be tried again, and then each echo over a slow path. */
const PING_DIAL_MS = 30_000;
const PING_ECHO_MS = 5_000;
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export const STATUS_PAGE_PATH = '/';
/** Open to everyone who reaches the server: it says no more than that the process answers. */
export const LIVENESS_PATH = '/livez';

export interface RouteSources {
  view: NodeView;
  readiness: Readiness;
  sampling: Sampling;
  scrapes: Scrapes;
  /** Who asks is not known; that it was asked here, and not by a signal, is logged. */
  log: Logger;
}

export function createRoutes({ view, readiness, sampling, scrapes, log }: RouteSources): Routes {
  const entries: [string, Partial<Record<'GET' | 'POST', Handler>>][] = [
    [STATUS_PAGE_PATH, { GET: () => statusPageReply(200) }],
    [ASSETS_PATH, { GET: ({ path }) => assetReply(path) }],
    [LIVENESS_PATH, { GET: () => json(200, { alive: true }) }],
    ['/readyz', { GET: () => ready(view, readiness) }],
    ['/metrics', { GET: (call) => metrics(view, scrapes, call) }],
    ['/api/v1/status', { GET: () => json(200, { ...view.status(), metrics: { lastScrapeSecondsAgo: scrapes.secondsAgo } }) }],
    ['/api/v1/reservations', { GET: (call) => list(call, 'reservations', view.reservations()) }],
    ['/api/v1/circuits', { GET: (call) => list(call, 'circuits', view.circuits()) }],
    ['/api/v1/peers', { GET: async (call) => list(call, 'peers', await view.peers()) }],
    ['/api/v1/relays', { GET: (call) => list(call, 'relays', view.relays()) }],
    ['/api/v1/tunnels', { GET: (call) => list(call, 'tunnels', view.tunnels()) }],
    ['/api/v1/config', { GET: () => json(200, view.config()) }],
    ['/api/v1/history', { GET: (call) => history(call, sampling) }],
    ['/api/v1/events', { GET: () => sampling.watchers.reply() }],
    ['/api/v1/cluster', { GET: () => json(200, view.cluster()) }],
    ['/api/v1/drain', { POST: () => drain(view, log) }],
    ['/api/v1/ping', { POST: (call) => ping(view, call) }],
    ['/api/v1/reload', { POST: () => reload(view, log) }],
    ['/api/v1/check-reachability', { POST: async ({ body, signal }) => json(200, await view.checkReachability(parseAsk(body), signal)) }],
    ['/api/v1/rehearse-failover', { POST: async ({ signal }) => json(200, await view.rehearseFailover(signal)) }],
  ];
  return new Map(entries);
}

async function ready(view: NodeView, readiness: Readiness): Promise<Reply> {
  const reasons = await readiness.problems();
  const warnings = view.readinessWarnings();
  return reasons.length === 0 ? json(200, { ready: true, warnings }) : json(503, { ready: false, reasons, warnings });
}

async function metrics(view: NodeView, scrapes: Scrapes, { accept }: Call): Promise<Reply> {
  scrapes.read(accept);
  return { status: 200, body: await view.metrics(), headers: { 'content-type': PROMETHEUS_TEXT } };
}

function history({ query }: Call, sampling: Sampling): Reply {
  const range = query.get('range') ?? '30m';
  if (!isRange(range)) {
    throw new RelaydError('BAD_REQUEST', `range: ${JSON.stringify(range.slice(0, 40))} is none of ${Object.keys(RANGES).join(', ')}`);
  }
  return json(200, sampling.history.columns(range));
}

function isRange(text: string): text is Range {
  return Object.hasOwn(RANGES, text);
}

/** Answers first: with nothing to wait for, a drain ends the process at once. */
function drain(view: NodeView, log: Logger): Reply {
  log.info({ event: 'drain-asked' }, 'a drain was asked for over the admin API');
  const remaining = { reservations: view.reservations().length, circuits: view.circuits().length };
  return { ...json(202, { state: 'draining', ...remaining }, { connection: 'close' }), afterwards: () => view.drain() };
}

async function ping(view: NodeView, { body, signal }: Call): Promise<Reply> {
  const { peer, count, fresh } = parsePing(body);
  const deadline = AbortSignal.timeout(PING_DIAL_MS + count * PING_ECHO_MS);
  return json(200, await view.ping(peer, { count, fresh, signal: AbortSignal.any([signal, deadline]) }));
}

async function reload(view: NodeView, log: Logger): Promise<Reply> {
  try {
    const outcome: unknown = await view.reload();
    log.info({ event: 'reloaded', ...(outcome as object | undefined) }, 'reloaded over the admin API');
    return json(200, outcome ?? {});
  } catch (error) {
    log.error({ event: 'reload-failed', error: errorMessage(error) }, 'the config is wrong; the old one stays in force');
    throw error;
  }
}
