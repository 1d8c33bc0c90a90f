import type { NodeView } from '../lib/contracts.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { json } from './http.ts';
import type { Call, Reply } from './http.ts';
import { parsePing } from './ping-request.ts';
import type { Readiness } from './readiness.ts';
import type { Handler, Routes } from './router.ts';
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
  /** Who asks is not known; that it was asked here, and not by a signal, is logged. */
  log: Logger;
}

export function createRoutes({ view, readiness, log }: RouteSources): Routes {
  const entries: [string, Partial<Record<'GET' | 'POST', Handler>>][] = [
    [STATUS_PAGE_PATH, { GET: () => statusPageReply(200) }],
    [LIVENESS_PATH, { GET: () => json(200, { alive: true }) }],
    ['/readyz', { GET: () => ready(readiness) }],
    ['/metrics', { GET: () => metrics(view) }],
    ['/api/v1/status', { GET: () => json(200, view.status()) }],
    ['/api/v1/reservations', { GET: (call) => list(call, view.reservations()) }],
    ['/api/v1/circuits', { GET: (call) => list(call, view.circuits()) }],
    ['/api/v1/peers', { GET: async (call) => list(call, await view.peers()) }],
    ['/api/v1/relays', { GET: (call) => list(call, view.relays()) }],
    ['/api/v1/tunnels', { GET: (call) => list(call, view.tunnels()) }],
    ['/api/v1/cluster', { GET: notBuilt }],
    ['/api/v1/drain', { POST: () => drain(view, log) }],
    ['/api/v1/ping', { POST: (call) => ping(view, call) }],
    ['/api/v1/reload', { POST: () => reload(view, log) }],
  ];
  return new Map(entries);
}

async function ready(readiness: Readiness): Promise<Reply> {
  const reasons = await readiness.problems();
  return reasons.length === 0 ? json(200, { ready: true }) : json(503, { ready: false, reasons });
}

async function metrics(view: NodeView): Promise<Reply> {
  return { status: 200, body: await view.metrics(), headers: { 'content-type': PROMETHEUS_TEXT } };
}

/** The rows as a JSON array; `?limit=N` gives the first N. The header says how many there are. */
function list({ query }: Call, rows: readonly unknown[]): Reply {
  const limit = query.get('limit');
  if (limit !== null && !/^\d{1,9}$/.test(limit)) {
    throw new RelaydError('BAD_REQUEST', `limit: ${JSON.stringify(limit.slice(0, 40))} is not a whole number`);
  }
  return json(200, limit === null ? rows : rows.slice(0, Number(limit)), { 'x-total-count': String(rows.length) });
}

function notBuilt(): never {
  throw new RelaydError('NOT_BUILT', 'the cluster view is not built yet');
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
