// bench: a relay's N reservations (default 100000) in a real etcd of M members (default 1): telling them, looking whether they are there, asking who holds one, and what others wait when the relay goes
import { BEAT_EVERY_MS } from '../../src/coordination/backend.ts';
import { EtcdRelay } from '../support/coordination/etcd-relay.ts';
import { EtcdCluster, available } from '../support/stores/etcd.ts';
import { percentile, printTable, writeJson } from './support/report.ts';

const HOUR_MS = 3_600_000;
const QUESTIONS = 1_000;
const COUNT = Number(process.argv[2] ?? 100_000);
const MEMBERS = Number(process.argv[3] ?? 1);

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function megabytesIn(etcd: EtcdCluster): number {
  const [status] = JSON.parse(etcd.ask('endpoint', 'status', '-w', 'json')) as { Status: { dbSizeInUse: number } }[];
  return (status?.Status.dbSizeInUse ?? 0) / 1e6;
}

/** The longest that `asking` waits for an answer while `going` leaves, with all that it held. */
async function longestWaitMs(asking: EtcdRelay, going: EtcdRelay): Promise<number> {
  let longest = 0;
  const gone = (async () => {
    await going.stop();
    return performance.now() + BEAT_EVERY_MS;
  })();
  let end = Infinity;
  void gone.then((at) => (end = at));
  while (performance.now() < end) longest = Math.max(longest, await msOf(() => asking.holders('nobody').catch(() => [])));
  return longest;
}

const missing = available();
if (missing !== undefined) throw new Error(missing);
const etcd = await EtcdCluster.start({ size: MEMBERS });
try {
  const [holding, asking] = [await new EtcdRelay(etcd.config(), '12D3KooWholding'.padEnd(52, 'x')).start(), await new EtcdRelay(etcd.config(), '12D3KooWasking'.padEnd(52, 'x')).start()];
  const held = Array.from({ length: COUNT }, (_, i) => ({ peer: `12D3KooW${String(i).padStart(44, 'x')}`, ttlMs: HOUR_MS }));
  const toldMs = await msOf(() => holding.registry.publishAll(held));
  const lookedMs = await msOf(() => holding.registry.publishAll(held));
  const megabytes = megabytesIn(etcd);
  const waits: number[] = [];
  for (let i = 0; i < QUESTIONS; i++) waits.push(await msOf(() => asking.holders(held[(i * 97) % COUNT]?.peer ?? '')));
  const figures = {
    reservations: COUNT,
    members: MEMBERS,
    'told, ms': Math.round(toldMs),
    'looked through, ms': Math.round(lookedMs),
    'database, MB': Math.round(megabytes),
    'question p50, ms': percentile(waits, 50).toFixed(2),
    'question p99, ms': percentile(waits, 99).toFixed(2),
    'longest wait when the relay goes, ms': Math.round(await longestWaitMs(asking, holding)),
  };
  printTable(figures);
  writeJson('etcd-registry', figures);
  await asking.stop();
} finally {
  await etcd.stop();
}
