import { setTimeout as delay } from 'node:timers/promises';
import { convergenceOf, failedOf } from './gossip-convergence.ts';
import type { Convergence, LoadReport } from './gossip-convergence.ts';
import { startDaemons } from './gossip-daemons.ts';
import type { Backend, Daemons, MeteredRelay } from './gossip-daemons.ts';
import type { Plan } from './gossip-plan.ts';
import { ratesOver, refusalsOf, rssKiB } from './gossip-rates.ts';
import type { Rates } from './gossip-rates.ts';
import type { LineProcess } from './line-process.ts';
import { raise } from './scheduling.ts';

/** Links and meshes have settled by then. */
const SETTLE_MS = 5_000;

/** Of the load before it is measured: compilers know most of the work by then. */
const LEAD_SECONDS = 15;

/** Of the load after it: more than reading the counters takes. */
const TAIL_SECONDS = 5;

/** Of those that reserve, so many are asked for at one other relay, and so many at all: few enough that asking is little work beside the reservations. */
const ONE_IN = 10;
const ALL_IN = 50;

/** Peers that connect at once: as many as keep the relays busy. */
const PARALLEL = 8;

/** Between two questions for one reservation at one relay. */
export const POLL_MS = 5;

/** Times as long as traffic is measured: few of the reservations are asked for. */
const CONVERGENCE_TIMES = 3;

export interface DaemonsMeasured {
  readonly rest: Rates;
  readonly load: Rates;
  readonly restRssKiB: number;
  readonly loadRssKiB: number;
  /** That came in a second, and how long each RESERVE took. */
  readonly reserved: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number; readonly held: number; readonly failed: number };
  /** Of relays that know of each other. */
  readonly convergence: Convergence | undefined;
}

/** A relay on a machine that has too much to do refuses some; with more than this part of them it is no measurement. */
const MAX_FAILED = 0.01;

/** @throws Error when more than a few reservations, or circuits to who holds one, are refused */
export async function measureDaemons(plan: Plan, backend: Backend): Promise<DaemonsMeasured> {
  const daemons = await startDaemons(plan.relays, backend);
  try {
    raise([...daemons.relays.map(({ relay }) => relay), daemons.load], plan.nice);
    await delay(SETTLE_MS);
    const rest = await ratesOver(daemons.relays, plan.seconds);
    const restRssKiB = rssKiB(daemons.relays);
    const { rates, report } = await underLoad(daemons, plan);
    const loadRssKiB = rssKiB(daemons.relays);
    const reserved = { perSecond: report.count / report.seconds, p50Ms: report.p50Ms, p99Ms: report.p99Ms, held: report.count, failed: failedOf(report) };
    return { rest, load: rates, restRssKiB, loadRssKiB, reserved, convergence: backend === 'none' ? undefined : await converge(daemons, plan) };
  } finally {
    await daemons.stop();
  }
}

async function underLoad({ relays, load }: Daemons, { rate, seconds }: Plan): Promise<{ rates: Rates; report: LoadReport }> {
  const amount = { perSecond: rate, seconds: LEAD_SECONDS + seconds + TAIL_SECONDS };
  await connect(load, amount);
  const reserving = load.order<LoadReport>('load', amount);
  // It fails only together with what is measured, and is then reported below.
  reserving.catch(() => {});
  await delay(LEAD_SECONDS * 1_000);
  const rates = await ratesOver(relays, seconds);
  return { rates, report: await checked(relays, await reserving) };
}

/** Apart from the traffic, which it adds to. */
async function converge({ relays, load }: Daemons, { rate, seconds }: Plan): Promise<Convergence> {
  const amount = { perSecond: rate, seconds: CONVERGENCE_TIMES * seconds };
  await connect(load, amount);
  const report = await load.order<LoadReport>('load', { ...amount, oneIn: ONE_IN, allIn: ALL_IN, pollMs: POLL_MS });
  return convergenceOf(await checked(relays, report));
}

/** Peers connect before they reserve: handshakes cost several times what the rest does, and ten relays and their peers share a few cores. */
async function connect(load: LineProcess, { perSecond, seconds }: { perSecond: number; seconds: number }): Promise<void> {
  await load.order('connect', { count: perSecond * seconds, parallel: PARALLEL });
  await delay(SETTLE_MS);
}

async function checked(relays: readonly MeteredRelay[], report: LoadReport): Promise<LoadReport> {
  if (failedOf(report) <= MAX_FAILED * report.count) return report;
  const limits = Object.entries(await refusalsOf(relays)).map(([limit, times]) => `${times} by ${limit}`);
  throw new Error(`beside ${report.count} that came in: ${JSON.stringify(report.failed)}; the relays have refused ${limits.join(', ')}`);
}
