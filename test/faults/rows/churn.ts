import { WirePeer } from '../../support/wire-peer.ts';
import { assertOk } from '../../support/refusals.ts';
import { until } from '../../support/waiting.ts';
import { Figure } from '../support/figure.ts';
import { Inspector, inspectArgs } from '../support/inspector.ts';
import { ROOMY } from '../support/loss-net.ts';
import { openFiles } from '../support/open-files.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';

/**
 * Peers come, reserve, open circuits to each other and go, thousands of times. When nobody is there the relay must hold as
 * much as before: on the heap after a collection, in timers, in event targets and listeners' objects, in descriptors.
 */

const SECOND_MS = 1000;
/** Pairs at the same time. */
const WORKERS = 6;
/** Between two looks, each of which waits until all have gone. */
const LOOKS = 10;
/** The first looks see compilers and pools at work. */
const SETTLED_FROM = 3;
const CYCLES_A_RUN = 500;
const SHORT_CYCLES = 120;
const EMPTY_WITHIN_MS = 20_000;

/** What may be left of a pair of peers that came once: nothing of theirs, but a heap that breathes. */
const BOUND_KIB = 100;
/** A connection of the row's own, just opened or not yet closed. */
const MORE = 3;

export const CHURN: Row = {
  name: 'churn',
  title: 'peers come, reserve, open circuits and go, 500 pairs a run: heap, timers, descriptors',
  full: { runs: 10, clients: WORKERS },
  short: { runs: 1, clients: WORKERS },
  deadlineMs: ({ runs }) => 120 * SECOND_MS + runs * 240 * SECOND_MS,
  run,
};

interface Look {
  pairs: number;
  heapKiB: number;
  timers: number;
  targets: number;
  files: number;
}

async function run(scene: Scene): Promise<Figure[]> {
  const { port, nodeArgs } = await inspectArgs();
  // Counting objects makes the relay stand still: it must not refuse anybody for that.
  const config = { relay: { ...ROOMY.relay, maxEventLoopDelay: 'unlimited' }, connections: { pendingPerPrefix: 'unlimited', inboundPerPrefix: 'unlimited' }, network: { allowPrivate: true } };
  const relay = await scene.relay({ name: 'relay', nodeArgs, config });
  const inspector = await Inspector.connect(port);
  scene.defer(() => inspector.close());
  const total = scene.amount.short ? SHORT_CYCLES : CYCLES_A_RUN * scene.amount.runs;
  const looks: Look[] = [];
  for (let i = 0; i < LOOKS; i++) {
    await churn(relay, Math.ceil(total / LOOKS), scene.amount.clients);
    looks.push(await look(relay, inspector, (i + 1) * Math.ceil(total / LOOKS)));
  }
  looks.forEach(({ pairs, heapKiB, timers, targets, files }) => scene.note(`after ${pairs} pairs: heap ${Math.round(heapKiB)} KiB, ${timers} timers, ${targets} event targets, ${files} descriptors`));
  return figuresOf(looks.slice(SETTLED_FROM), scene.amount);
}

function figuresOf(looks: readonly Look[], { runs, short }: { runs: number; short: boolean }): Figure[] {
  // A few peers say nothing of a slope.
  const heap = new Figure('heap growth of 1000 pairs', 'KiB/1000', short ? {} : { max: BOUND_KIB });
  heap.add(slope(looks.map(({ pairs, heapKiB }) => [pairs / 1000, heapKiB])));
  const figures = [heap];
  for (const [key, title] of [['timers', 'timers'], ['targets', 'event targets'], ['files', 'descriptors']] as const) {
    const figure = new Figure(`${title} more at the end than at the beginning`, 'count', { max: MORE });
    figure.add((looks.at(-1)?.[key] ?? NaN) - (looks[0]?.[key] ?? NaN));
    figures.push(figure);
  }
  figures.forEach((figure) => (figure.runs = runs));
  return figures;
}

async function churn(relay: Relay, pairs: number, width: number): Promise<void> {
  const queue = Array.from({ length: pairs }).values();
  const worker = async (): Promise<void> => {
    for (const _ of queue) await onePair(relay);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Half of them leave in good order, half as a machine that loses its network. */
async function onePair(relay: Relay): Promise<void> {
  const [target, source] = await Promise.all([WirePeer.start(), WirePeer.start()]);
  try {
    await Promise.all([target.connect(relay.addr), source.connect(relay.addr)]);
    assertOk(await target.reserve());
    const circuits = [await source.connectTo(target.peerId), await source.connectTo(target.peerId)];
    circuits.forEach(assertOk);
    circuits.forEach(({ stream }) => stream.send(new Uint8Array(1024)));
    if (Math.random() < 0.5) await source.disconnect('close');
  } finally {
    await Promise.all([target.stop(), source.stop()]);
  }
}

async function look(relay: Relay, inspector: Inspector, pairs: number): Promise<Look> {
  await until(async () => [...(await relay.metrics())].every(([series, value]) => !/^relayd_(relay_circuits|connections_open)\b/.test(series) || value === 0), 'the relay to be empty', EMPTY_WITHIN_MS);
  const heapKiB = Math.min(await inspector.heapUsed(), await inspector.heapUsed()) / 1024;
  return {
    pairs,
    heapKiB,
    timers: await inspector.evaluate(`process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length`),
    targets: await inspector.instances('EventTarget'),
    files: openFiles(relay.pid),
  };
}

/** Of the line that fits best. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
