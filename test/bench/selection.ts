// bench: how clients (default 200) spread over three relays at 5, 40 and 120 ms, idle, with the nearest loaded, and after it has filled up
import { DistantRelays } from '../support/distant-relays.ts';
import { testClient, until } from '../unit/client/support.ts';
import type { TestClient } from '../unit/client/support.ts';
import { endChildrenOnSignals } from './support/interrupt.ts';
import { percentile, printTable, writeJson } from './support/report.ts';

const ROUND_TRIPS_MS = [5, 40, 120];
/** Clients that start at a time: all of them share this process, and their handshakes must not be what is measured. */
const TOGETHER = 4;

interface Outcome {
  readonly clients: number;
  /** By relay, the nearest first. */
  readonly held: number[];
  readonly secondsToHoldP50: number;
  readonly secondsToHoldMax: number;
}

/** @param max reservations of each relay, the nearest first */
async function measure(count: number, max: readonly number[]): Promise<Outcome> {
  await using relays = await DistantRelays.start(ROUND_TRIPS_MS.map((roundTripMs, i) => ({ roundTripMs, relay: { limits: { reservations: { max: max[i] } } } })));
  await using clients = new AsyncDisposableStack();
  const started: TestClient[] = [];
  const seconds: number[] = [];
  const addrs = relays.all.map(({ addr }) => addr);
  const one = async (): Promise<void> => {
    const start = performance.now();
    const client = clients.use(await testClient({ relays: addrs, desired: 1 }));
    await until(() => client.supervisor.held === 1, 'a client holds a reservation', 60_000);
    seconds.push((performance.now() - start) / 1000);
    started.push(client);
  };
  while (started.length < count) {
    await Promise.all(Array.from({ length: Math.min(TOGETHER, count - started.length) }, one));
  }
  const held = started.map((client) => client.supervisor.candidates().find(({ state }) => state === 'reserved')?.peer ?? '');
  return { clients: count, held: relays.distribution(held), secondsToHoldP50: percentile(seconds, 50), secondsToHoldMax: Math.max(...seconds) };
}

function show({ held, secondsToHoldP50, secondsToHoldMax }: Outcome): string {
  const parts = held.map((count, i) => `${ROUND_TRIPS_MS[i]} ms: ${count}`);
  return `${parts.join('   ')}   (a reservation in p50 ${secondsToHoldP50.toFixed(2)} s, max ${secondsToHoldMax.toFixed(2)} s)`;
}

async function main(): Promise<void> {
  endChildrenOnSignals();
  const count = Number(process.argv[2] ?? 200);
  const cases = {
    'room for all everywhere': [10 * count, 10 * count, 10 * count],
    'the nearest has room for half': [count / 2, 10 * count, 10 * count],
    'the nearest has room for a tenth, the next for a half': [count / 10, count / 2, 10 * count],
  };
  const outcomes: Record<string, Outcome> = {};
  for (const [name, max] of Object.entries(cases)) {
    outcomes[name] = await measure(count, max.map(Math.ceil));
  }
  printTable(Object.fromEntries(Object.entries(outcomes).map(([name, outcome]) => [name, show(outcome)])));
  writeJson('selection', { roundTripsMs: ROUND_TRIPS_MS, outcomes });
}

await main();
