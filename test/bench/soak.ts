// bench: 10 GB both ways through circuits whose readers pause, every byte compared; memory of our relay after each GB (--help: options)
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LineProcess } from './support/line-process.ts';
import { names, niceOf, number, planOrUsage } from './support/options.ts';
import { LOAD, built } from './support/programs.ts';
import { kindOf } from './support/relays.ts';
import type { MeasuredRelay, RelayName, Security } from './support/relays.ts';
import { writeJson } from './support/report.ts';
import { raise } from './support/scheduling.ts';
import { readUsage } from './support/usage.ts';

const GB = 1e9;
const MB = 1e6;
const WRITE_BYTES = 65_536;

/** With its metrics: only a relayd can say that it holds nothing at the end. */
const SOAKED = ['ours', 'stock-path'] as const satisfies RelayName[];

const USAGE = `usage: scripts/bench soak [OPTIONS]

  --gb N              so much in all, half of it each way (10)
  --security A,B      of noise, tls (both, one after the other)
  --relay A           of ${SOAKED.join(', ')} (ours)
  --circuits N        each on connections of its own (8)
  --pause-ms N        the longest pause of a reader; they come every 4 MiB on average (200)
  --seed N            of the pauses (1)
  --raise N           gives the relay and the load this much more priority than others have (0, at most 20; root only): for a busy machine`;

const OPTIONS = {
  gb: { type: 'string', default: '10' },
  security: { type: 'string', default: 'noise,tls' },
  relay: { type: 'string', default: 'ours' },
  circuits: { type: 'string', default: '8' },
  'pause-ms': { type: 'string', default: '200' },
  seed: { type: 'string', default: '1' },
  raise: { type: 'string', default: '0' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Plan {
  gigabytes: number;
  securities: Security[];
  relay: RelayName;
  circuits: number;
  pauseMs: number;
  seed: number;
  nice: number;
}

interface Step {
  gigabytes: number;
  seconds: number;
  rssMiB: number;
  heldMiB: number;
}

interface Moved {
  bytes: number;
  seconds: number;
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const results: object[] = [];
  for (const security of plan.securities) {
    results.push({ security, ...(await soak(plan, security)) });
  }
  writeJson('soak', { plan, results });
}

function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  return {
    gigabytes: number('gb', values.gb),
    securities: names('security', values.security, ['noise', 'tls']),
    relay: names('relay', values.relay, SOAKED)[0] ?? 'ours',
    circuits: number('circuits', values.circuits),
    pauseMs: number('pause-ms', values['pause-ms']),
    seed: number('seed', values.seed),
    nice: niceOf('raise', values.raise),
  };
}

/** @throws Error when a byte is wrong or missing, or when the relay holds anything at the end */
async function soak(plan: Plan, security: Security): Promise<object> {
  const relay = await kindOf(plan.relay).start(security, []);
  const load = new LineProcess('load', await built(LOAD), ['soak', '--relay', relay.addr, '--security', security, '--circuits', String(plan.circuits)]);
  try {
    await load.ready();
    raise([relay, load], plan.nice);
    console.log(`${plan.relay}, ${security}: ${readRss(relay).toFixed(0)} MiB with ${plan.circuits} circuits and nothing sent`);
    await load.order('start', { bytes: plan.gigabytes * GB, write: WRITE_BYTES, seed: plan.seed, pauseMs: plan.pauseMs });
    const steps = await watch(plan, relay, load);
    const end = await load.order<Moved & { pauses: number }>('finish');
    await nothingHeld(relay);
    const { cpuSeconds } = readUsage(relay.pid);
    console.log(`${end.bytes} bytes, ${end.pauses} pauses: every byte right, nothing held, no circuit left; ${(end.bytes / end.seconds / MB).toFixed(0)} MB/s, ${((cpuSeconds / end.bytes) * GB).toFixed(2)} CPU-s/GB`);
    return { ...end, steps, cpuSeconds, rssAtEndMiB: readRss(relay) };
  } finally {
    await load.stop();
    await relay.stop();
  }
}

async function watch({ gigabytes, circuits }: Plan, relay: MeasuredRelay, load: LineProcess): Promise<Step[]> {
  const steps: Step[] = [];
  for (let gb = 1; gb <= gigabytes; gb++) {
    // The shares are whole bytes: the last GB may lack some.
    const { seconds } = await load.order<Moved>('until', { bytes: gb * GB - (gb === gigabytes ? 2 * circuits : 0) });
    const step = { gigabytes: gb, seconds, rssMiB: readRss(relay), heldMiB: (await gauge(relay, 'relayd_relay_buffered_bytes')) / (1 << 20) };
    steps.push(step);
    console.log(`${String(gb).padStart(4)} GB  ${seconds.toFixed(1).padStart(7)} s  RSS ${step.rssMiB.toFixed(0).padStart(4)} MiB  holds ${step.heldMiB.toFixed(2).padStart(6)} MiB`);
  }
  return steps;
}

const END_WITHIN_MS = 5000;
const LOOK_MS = 100;

/** The ends are done a moment before the relay is. */
async function nothingHeld(relay: MeasuredRelay): Promise<void> {
  const end = performance.now() + END_WITHIN_MS;
  for (;;) {
    const held = await gauge(relay, 'relayd_relay_buffered_bytes');
    const circuits = await gauge(relay, 'relayd_relay_circuits');
    if (held === 0 && circuits === 0) return;
    if (performance.now() > end) throw new Error(`${END_WITHIN_MS / 1000} s after the end the relay holds ${held} bytes and counts ${circuits} circuits`);
    await delay(LOOK_MS);
  }
}

async function gauge(relay: MeasuredRelay, name: string): Promise<number> {
  if (relay.gauge === undefined) throw new Error('this relay has no metrics');
  return relay.gauge(name);
}

function readRss({ pid }: MeasuredRelay): number {
  return readUsage(pid).rssKiB / 1024;
}

await main();
