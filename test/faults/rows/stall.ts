import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/waiting.ts';
import { Figure } from '../support/figure.ts';
import { Inspector, inspectArgs } from '../support/inspector.ts';
import { ROOMY } from '../support/loss-net.ts';
import type { Clients } from '../support/clients.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * A relay stands still for five seconds: its event loop is kept busy from inside (by Node's debugger), or its process is stopped. It must
 * say that it is not ready, and its clients must stay: what closes a connection after so short a time sends all of them away at once.
 */

const MINUTE_MS = 60_000;
const STALL_MS = 5_000;
/** Readiness looks back ten seconds. */
const READY_AGAIN_WITHIN_MS = 15_000;
const LOOK_MS = 200;
/** A client that gives the relay up does so within this time after the stall. */
const AFTERWARDS_MS = 5_000;
const RESERVED_WITHIN_MS = 60_000;

type Way = 'busy' | 'stopped';

export const STALL: Row = {
  name: 'stall',
  title: "a relay's event loop stands still for 5 s: readiness fails, no client leaves",
  full: { runs: 10, clients: 100 },
  short: { runs: 1, clients: 10 },
  deadlineMs: ({ runs }) => 2 * MINUTE_MS + runs * 2 * MINUTE_MS,
  run,
};

interface Figures {
  lost: Figure;
  unready: Figure;
  again: Figure;
}

async function run(scene: Scene): Promise<Figure[]> {
  const { port, nodeArgs } = await inspectArgs();
  const relay = await scene.relay({ name: 'relay', nodeArgs, config: { ...ROOMY, network: { allowPrivate: true } } });
  const inspector = await Inspector.connect(port);
  scene.defer(() => inspector.close());
  const clients = await scene.clients({ count: scene.amount.clients, config: { profile: 'tier1', client: { relays: [relay.addr] } } });
  const all: Figures[] = [];
  for (const way of ['busy', 'stopped'] as const) {
    const figures = makeFigures(way);
    all.push(figures);
    for (let i = 0; i < scene.amount.runs; i++) {
      await oneRun(relay, clients, figures, () => stall(way, relay, inspector));
      Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
    }
  }
  return all.flatMap((figures) => Object.values(figures) as Figure[]);
}

function makeFigures(way: Way): Figures {
  const what = way === 'busy' ? 'event loop busy for 5 s' : 'process stopped for 5 s';
  return {
    lost: new Figure(`${what}: clients that left`, 'count', { max: 0 }),
    unready: new Figure(`${what}: the first answer of /readyz is 503`, 'count', { min: 1 }),
    again: new Figure(`${what}: ready again after`, 's', { max: READY_AGAIN_WITHIN_MS / 1000 }),
  };
}

/** @returns when it stands still; what it returns resolves when that is over */
async function stall(way: Way, relay: Relay, inspector: Inspector): Promise<{ over: Promise<unknown> }> {
  if (way === 'busy') return keepBusy(relay, inspector);
  relay.signal('SIGSTOP');
  return { over: delay(STALL_MS).then(() => relay.signal('SIGCONT')) };
}

/** The debugger's order takes a moment to reach the loop, which writes a file as the last that it does. */
async function keepBusy(relay: Relay, inspector: Inspector): Promise<{ over: Promise<unknown> }> {
  const sign = join(relay.dataDir, 'busy');
  rmSync(sign, { force: true });
  const write = `process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(sign)}, '')`;
  const over = inspector.evaluate(`{ ${write}; const end = performance.now() + ${STALL_MS}; while (performance.now() < end); }`);
  over.catch(() => {});
  await until(() => existsSync(sign), 'the event loop to be busy', RESERVED_WITHIN_MS);
  return { over };
}

async function oneRun(relay: Relay, clients: Clients, { lost, unready, again }: Figures, stand: () => Promise<{ over: Promise<unknown> }>): Promise<void> {
  await clients.untilHeld(1, { timeoutMs: RESERVED_WITHIN_MS });
  await untilReady(relay, RESERVED_WITHIN_MS);
  const before = await closedReservations(relay);
  const { over } = await stand();
  // Asked while it stands still, answered when it is over.
  const { status } = await relay.get('/readyz');
  await over;
  const overMs = nowMs();
  unready.add(Number(status === 503));
  const readyMs = await untilReady(relay, 2 * READY_AGAIN_WITHIN_MS);
  if (readyMs === undefined) again.fail(`not ready ${(2 * READY_AGAIN_WITHIN_MS) / 1000} s after it`);
  else again.add((readyMs - overMs) / 1000);
  await delay(overMs + AFTERWARDS_MS - nowMs());
  lost.add((await closedReservations(relay)) - before);
}

async function closedReservations(relay: Relay): Promise<number> {
  return (await relay.metrics()).get('libp2p_relaysvc_reservations_total{type="closed"}') ?? NaN;
}

/** @returns when it was ready */
async function untilReady(relay: Relay, timeoutMs: number): Promise<number | undefined> {
  for (const end = nowMs() + timeoutMs; nowMs() < end; await delay(LOOK_MS)) {
    if ((await relay.get('/readyz')).status === 200) return nowMs();
  }
  return undefined;
}
