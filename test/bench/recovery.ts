// bench: a relay is killed and started again on its port; how long until its client holds a reservation again, and is reached
import { Fleet, untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { percentile, printTable, writeJson } from './support/report.ts';

const TIMEOUT_MS = 60_000;
/** How long the relay stays down: the client's retries have backed off by then. */
const DOWN_MS = 3_000;

async function main(): Promise<void> {
  const runs = Number(process.argv[2] ?? 10);
  const fleet = await Fleet.create();
  const times = { noticedMs: [] as number[], reservedMs: [] as number[], reachedMs: [] as number[] };
  try {
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const first = await fleet.start('relay', { role: 'relay', network: { listen } });
    const addr = first.ready.addrs[0] ?? '';
    await fleet.configure('relay', { role: 'relay', network: { listen: [addr.replace(/\/p2p\/.*/, '')] } });
    const client = await fleet.start('client', { role: 'client', client: { relays: [addr] } });
    const caller = await fleet.start('caller', { role: 'client', client: { relays: [addr] } });
    for (let i = 0; i < runs; i++) {
      await oneRun(fleet, client, caller, times);
    }
  } finally {
    await fleet.stopAll();
  }
  report(runs, times);
}

async function oneRun(fleet: Fleet, client: Running, caller: Running, times: Record<'noticedMs' | 'reservedMs' | 'reachedMs', number[]>): Promise<void> {
  await untilHeld(client, 1, TIMEOUT_MS);
  const killed = performance.now();
  await fleet.kill('relay');
  await untilHeld(client, 0, TIMEOUT_MS);
  times.noticedMs.push(performance.now() - killed);
  await new Promise((resolve) => setTimeout(resolve, DOWN_MS));
  await fleet.start('relay');
  const ready = performance.now();
  await untilHeld(client, 1, TIMEOUT_MS);
  times.reservedMs.push(performance.now() - ready);
  await untilReached(caller, client.ready.peerId);
  times.reachedMs.push(performance.now() - ready);
}

async function untilReached(caller: Running, peer: string): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (performance.now() < end) {
    const result = await caller.daemon.post<{ error?: string }>('/api/v1/ping', { peer, count: 1, fresh: true });
    if (result.error === undefined) return;
  }
  throw caller.daemon.failure(`did not reach ${peer}`);
}

function report(runs: number, times: Record<string, number[]>): void {
  const figures: Record<string, number> = { runs };
  for (const [name, values] of Object.entries(times)) {
    figures[`${name} p50`] = Math.round(percentile(values, 50));
    figures[`${name} p99`] = Math.round(percentile(values, 99));
    figures[`${name} max`] = Math.round(Math.max(...values));
  }
  printTable(figures);
  writeJson('recovery', { ...figures, times });
}

await main();
