import type { Plan } from './admission-plan.ts';
import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';
import { kindOf } from './relays.ts';
import type { MeasuredRelay, RelayName, Security } from './relays.ts';
import { raise } from './scheduling.ts';
import { settled } from './settled.ts';

/** One relay for all kinds of request, the new peers first: they are the targets of the rest. */

export const REQUESTS = {
  fresh: 'connect and RESERVE',
  refresh: 'RESERVE again',
  connect: 'CONNECT, a byte each way',
} as const;

export type Request = keyof typeof REQUESTS;

export interface Measurement {
  readonly relay: RelayName;
  readonly security: Security;
  readonly request: Request;
  readonly parallel: number;
  readonly count: number;
  readonly perSecond: number;
  /** Of the relay, with what it still does after the answer. */
  readonly perCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How long each of many took, as the load says. */
interface Timed {
  count: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Compilers know the work after this much. */
const WARM_UP = { peers: 30, requests: 200, parallel: 4 };

/** @throws Error when a request is refused, or a circuit does not carry */
export async function measure(name: RelayName, security: Security, plan: Plan): Promise<Measurement[]> {
  const program = await built(LOAD);
  const relay = await kindOf(name).start(security, []);
  const load = new LineProcess('load', program, ['admit', '--relay', relay.addr, '--security', security]);
  try {
    await load.ready();
    raise([relay, load], plan.nice);
    const most = Math.max(WARM_UP.parallel, ...plan.parallels);
    await load.order('sources', { count: most });
    await warmUp(load);
    return await inTurn(relay, load, plan, kindOf(name).share ?? 1, { relay: name, security });
  } finally {
    await load.stop();
    await relay.stop();
  }
}

async function warmUp(load: LineProcess): Promise<void> {
  const { peers, requests, parallel } = WARM_UP;
  await load.order('fresh', { count: peers, parallel });
  await load.order('refresh', { count: requests, parallel });
  await load.order('connect', { count: requests, parallel });
}

async function inTurn(relay: MeasuredRelay, load: LineProcess, plan: Plan, share: number, common: Pick<Measurement, 'relay' | 'security'>): Promise<Measurement[]> {
  const all: Measurement[] = [];
  for (const request of Object.keys(REQUESTS) as Request[]) {
    for (const parallel of plan.parallels) {
      const count = request === 'fresh' ? plan.peers : Math.ceil(plan.requests * share);
      all.push({ ...common, request, parallel, ...(await timed(relay, load, request, { count, parallel })) });
    }
  }
  return all;
}

async function timed(relay: MeasuredRelay, load: LineProcess, request: Request, order: { count: number; parallel: number }): Promise<Omit<Measurement, 'relay' | 'security' | 'request' | 'parallel'>> {
  const before = await settled(relay.pid);
  const { count, seconds, p50Ms, p99Ms, maxMs } = await load.order<Timed>(request, order);
  const after = await settled(relay.pid);
  return { count, perSecond: count / seconds, perCpuSecond: count / (after.cpuSeconds - before.cpuSeconds), p50Ms, p99Ms, maxMs };
}
