// bench: 30 nodes of one DHT (ours, js, go): how soon a client with one bootstrap address holds two reservations, and what a drained relay leaves behind (--runs N --each N)
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { BUCKET_MS, bucketAt, networkKey } from '../../src/discovery/network-key.ts';
import type { CandidateRow } from '../../src/lib/contracts.ts';
import { DhtNetwork } from '../support/dht-network.ts';
import { untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { until } from '../support/waiting.ts';
import { number } from './support/options.ts';
import { percentile, printTable, writeJson } from './support/report.ts';

const TIMEOUT_MS = 60_000;
const RELAYS = 2;

/** How long each step took, in milliseconds, run by run. */
interface Times {
  /** From the start of the process. */
  fromStart: number[];
  /** From its ready line on. */
  fromReady: number[];
}

/** Milliseconds from the command to drain. */
interface Drained {
  /** The client shows it as draining, or holds nothing there any more. */
  noticed: number;
  /** The client holds the other relay alone. */
  released: number;
  /** Its process has ended. */
  ended: number;
  /** Whether the DHT names it under the key of this hour and of those after it, once it is gone. */
  namedInHours: boolean[];
  minutesToTheHour: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' }, each: { type: 'string', default: '10' } } });
  const [runs, each] = [number('runs', values.runs), number('each', values.each)];
  const network = await DhtNetwork.start({ go: each, js: each, ours: Math.max(0, each - RELAYS), relays: RELAYS });
  try {
    const times: Times = { fromStart: [], fromReady: [] };
    for (let i = 0; i < runs; i++) {
      await oneClient(network, i, times);
    }
    report(each, times, await drainOne(network));
  } finally {
    await network.stop();
  }
}

async function oneClient(network: DhtNetwork, index: number, times: Times): Promise<void> {
  const name = `client-${index}`;
  const began = performance.now();
  const client = await network.client(name, network.servers[index % network.servers.length] ?? '');
  const ready = performance.now();
  await untilHeld(client, RELAYS, TIMEOUT_MS);
  times.fromStart.push(performance.now() - began);
  times.fromReady.push(performance.now() - ready);
  await network.fleet.stop(name);
}

async function drainOne(network: DhtNetwork): Promise<Drained> {
  const client = await network.client('client', network.servers[0] ?? '');
  await untilHeld(client, RELAYS, TIMEOUT_MS);
  const relay = network.relays[0];
  const id = relay?.ready.peerId ?? '';
  const began = performance.now();
  const since = async (what: Promise<unknown>): Promise<number> => {
    await what;
    return performance.now() - began;
  };
  await relay?.daemon.post('/api/v1/drain', {});
  const [noticed, released, ended] = await Promise.all([since(untilRow(client, id, (row) => row?.draining !== false || row.state !== 'reserved')), since(untilRow(client, id, (row) => row?.state !== 'reserved')), since(relay?.daemon.ended ?? Promise.resolve())]);
  const hours = [0, 1, 2].map((hour) => networkKey({ network: 'main', realm: undefined }, bucketAt(Date.now()) + hour).toString());
  const namedInHours: boolean[] = [];
  for (const key of hours) namedInHours.push((await network.providers(key)).includes(id));
  return { noticed, released, ended, namedInHours, minutesToTheHour: Math.round((BUCKET_MS - (Date.now() % BUCKET_MS)) / 60_000) };
}

async function untilRow({ daemon }: Running, peer: string, holds: (row: CandidateRow | undefined) => boolean): Promise<void> {
  const look = async (): Promise<boolean> => holds((await daemon.get<CandidateRow[]>('/api/v1/relays')).find((row) => row.peer === peer));
  await until(look, `the client's row of ${peer}`, TIMEOUT_MS);
}

function report(each: number, times: Times, drained: Drained): void {
  const figures: Record<string, number | string> = { nodes: 3 * each, runs: times.fromStart.length };
  for (const [name, values] of Object.entries(times)) {
    figures[`two reservations, ${name === 'fromStart' ? 'from the start of the process' : 'from its ready line'}, ms p50/p99/max`] = [percentile(values, 50), percentile(values, 99), Math.max(...values)].map(Math.round).join(' / ');
  }
  figures['drained relay: noticed, released, ended, ms'] = [drained.noticed, drained.released, drained.ended].map(Math.round).join(' / ');
  figures[`then named in the DHT in this hour (${drained.minutesToTheHour} min of it left) and the next two`] = drained.namedInHours.map((named) => (named ? 'yes' : 'no')).join(' / ');
  // The network itself is in it, and whatever else runs.
  figures['cores, load average of the last minute'] = `${availableParallelism()}, ${loadavg()[0]?.toFixed(1)}`;
  printTable(figures);
  writeJson('discovery', { host: { cpu: cpus()[0]?.model, cores: availableParallelism(), loadavg: loadavg() }, each, times, drained });
}

await main();
