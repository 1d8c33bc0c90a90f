// bench: 300 attempts at a limit of 100 reservations a prefix over three relays, on each coordination backend, whole and with one relay cut off (root)
import { parseArgs } from 'node:util';
import type { ClusterView } from '../../src/lib/contracts.ts';
import type { Attempt } from '../faults/support/cluster/history.ts';
import { clusterNet } from '../faults/support/cluster/cluster-net.ts';
import type { ClusterNet, StoreKind } from '../faults/support/cluster/cluster-net.ts';
import { settled } from '../faults/support/cluster/settle.ts';
import { Scene } from '../faults/support/scene.ts';
import { delay } from '../faults/support/time.ts';
import { percentile, writeJson } from './support/report.ts';

const LIMIT = 100;
const ATTEMPTS = 300;
const WIDTH = 8;
const RELAYS = 3;
const WHOLE_MS = 30_000;
/** Longer than a lease: the others take the one that is cut off for gone. */
const CUT_MS = 7_000;
const KINDS: readonly StoreKind[] = ['gossip', 'redis', 'etcd'];

interface Outcome {
  readonly backend: string;
  readonly scene: string;
  readonly run: number;
  readonly admitted: number;
  readonly bound: number;
  readonly refused: number;
  readonly failed: number;
  /** Milliseconds from request to reply. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, backends: { type: 'string', default: KINDS.join() } } });

const outcomes: Outcome[] = [];
for (const kind of values.backends.split(',') as StoreKind[]) outcomes.push(...(await measure(kind, Number(values.runs))));
console.table(outcomes);
writeJson('global-limit', { limit: LIMIT, attempts: ATTEMPTS, atOnce: WIDTH, outcomes });
process.exit(outcomes.every(({ admitted, bound }) => admitted <= bound) ? 0 : 1);

async function measure(kind: StoreKind, runs: number): Promise<Outcome[]> {
  const scene = await Scene.create({ runs, clients: ATTEMPTS, minutes: 1, short: false });
  try {
    const limits = { limits: { reservations: { perPrefix: LIMIT, perPeer: 'unlimited' }, rates: { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited' } } };
    const net = await clusterNet(scene, { kind, peers: ATTEMPTS, limits, open: true });
    const found: Outcome[] = [];
    for (let run = 1; run <= runs; run++) {
      found.push({ backend: kind, scene: 'whole', run, bound: LIMIT, ...(await oneRound(net, async () => {})) });
      // Until leases are over, each that does not reach the owner of the key has its part: the one that is cut off, or, where that is the owner, both others.
      const apart = kind === 'redis' ? 1 : RELAYS - 1;
      found.push({ backend: kind, scene: 'one cut off before', run, bound: LIMIT + apart * Math.floor(LIMIT / RELAYS), ...(await withOneCut(net, kind, 0)) });
      found.push({ backend: kind, scene: 'one cut off, and taken for gone', run, bound: LIMIT + Math.floor(LIMIT / RELAYS), ...(await withOneCut(net, kind, CUT_MS)) });
    }
    return found;
  } finally {
    await scene.close();
  }
}

/** One relay sees neither the others nor the store; peers see it. */
async function withOneCut(net: ClusterNet, kind: StoreKind, waitMs: number): Promise<Omit<Outcome, 'backend' | 'scene' | 'run' | 'bound'>> {
  let heal = (): void => {};
  const cut = async (): Promise<void> => {
    const stores = (net.store?.servers ?? []).map((_, i) => net.storeHost(i));
    heal = net.part([net.relayHost(1)], [net.relayHost(0), net.relayHost(2), ...stores]);
    await delay(waitMs);
  };
  try {
    return await oneRound(net, cut);
  } catch (error) {
    throw new Error(`${kind}: one cut off`, { cause: error });
  } finally {
    heal();
  }
}

async function oneRound(net: ClusterNet, before: () => Promise<void>): Promise<Omit<Outcome, 'backend' | 'scene' | 'run' | 'bound'>> {
  const whole = await settled(WHOLE_MS, () => isWholeAndEmpty(net));
  if (whole === undefined) throw new Error('the cluster is not whole, or still holds reservations');
  await before();
  const relays = Object.fromEntries(net.relays.map(({ peerId, addr }) => [peerId, addr]));
  const { attempts } = await net.peers.order<{ attempts: Attempt[] }>('attempts', { relays, first: 0, count: ATTEMPTS, width: WIDTH });
  await net.peers.order('leave-all');
  const count = (outcome: Attempt['outcome']): number => attempts.filter((attempt) => attempt.outcome === outcome).length;
  const took = attempts.filter(({ outcome }) => outcome !== 'failed').map(({ beganMs, endedMs }) => endedMs - beganMs);
  return { admitted: count('admitted'), refused: count('refused'), failed: count('failed'), p50Ms: round(percentile(took, 50)), p99Ms: round(percentile(took, 99)) };
}

async function isWholeAndEmpty({ relays }: ClusterNet): Promise<boolean> {
  const answers = await Promise.all(relays.map((relay) => relay.get('/api/v1/cluster')));
  const views = answers.map(({ status, text }) => (status === 200 ? (JSON.parse(text) as ClusterView) : undefined));
  const held = await Promise.all(relays.map(async (relay) => (JSON.parse((await relay.get('/api/v1/reservations')).text) as unknown[]).length));
  return views.every((view) => view?.problem === null && view.relays.length === relays.length) && held.every((count) => count === 0);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
