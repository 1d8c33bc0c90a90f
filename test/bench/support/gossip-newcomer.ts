import { fileURLToPath } from 'node:url';
import { until } from '../../support/waiting.ts';
import { LineProcess } from './line-process.ts';
import { readUsage } from './usage.ts';

const NODE = fileURLToPath(new URL('gossip-node.ts', import.meta.url));
const PATIENCE_MS = 120_000;

/** So many reservations cannot be made by peers here; nodes that are nothing but a cluster's say that they have them. Enough to be timed. */
const RESERVATIONS = 100_000;
const BATCH = 5_000;

/** Who joins fetches from each a part. */
const HOLDERS = 2;

export interface Newcomer {
  readonly reservations: number;
  readonly seconds: number;
  readonly bytes: number;
  /** Beside what it takes to start. */
  readonly cpuSeconds: number;
}

/** How long one that joins takes to know what the others do. */
export async function measureNewcomer(): Promise<Newcomer> {
  const nodes: LineProcess[] = [];
  const start = async (): Promise<LineProcess> => {
    const addrs = await Promise.all(nodes.map(async (node) => (await node.ready()).addrs ?? []));
    const node = new LineProcess(`node ${nodes.length}`, process.execPath, [NODE, ...addrs.flat()]);
    nodes.push(node);
    await node.ready();
    return node;
  };
  try {
    const first = await start();
    const startSeconds = readUsage(first.pid).cpuSeconds;
    while (nodes.length < HOLDERS) await start();
    for (let i = 0; i < RESERVATIONS / BATCH; i++) await first.order('publish', { reservations: BATCH });
    await Promise.all(nodes.slice(1).map(knowsAll));
    const late = await start();
    const began = performance.now();
    await knowsAll(late);
    const seconds = (performance.now() - began) / 1_000;
    const { inBytes } = await late.order<{ inBytes: number }>('status');
    return { reservations: RESERVATIONS, seconds, bytes: inBytes, cpuSeconds: readUsage(late.pid).cpuSeconds - startSeconds };
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

function knowsAll(node: LineProcess): Promise<void> {
  return until(async () => (await node.order<{ known: number }>('status')).known === RESERVATIONS, `${node.name} knows ${RESERVATIONS} reservations`, PATIENCE_MS);
}
