import { percentile } from '../../bench/support/report.ts';
import { noNamespaces } from '../../support/netns/why-not.ts';
import { lacking } from '../../support/programs.ts';
import { converged } from '../support/cluster/converged.ts';
import { clusterNet } from '../support/cluster/cluster-net.ts';
import type { ClusterNet, StoreKind } from '../support/cluster/cluster-net.ts';
import { VICTIM, faultsOf } from '../support/cluster/faults.ts';
import type { ClusterFault } from '../support/cluster/faults.ts';
import type { Cast } from '../support/cluster/cast.ts';
import { oneRun, reserveMarkers } from '../support/cluster/one-run.ts';
import type { RunResult } from '../support/cluster/one-run.ts';
import { settled } from '../support/cluster/settle.ts';
import { Figure } from '../support/figure.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';

/**
 * Three relays of one cluster, a limit over all of them that is pressed all the time, members that hold reservations and circuits through
 * other relays, and one that is revoked in the middle of the fault. The checker reads what happened.
 */

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
/** One run, with what it waits for at worst. */
const RUN_MS = MINUTE_MS + 30 * SECOND_MS;
const STARTED_MS = 30_000;

const RELAYS = 3;
const MARKERS_A_RELAY = 3;
/** Eight more come than there is room for. */
const LOAD = 28;
const ROOM = 20;
/** `coordination.memberLimits.reservations.max`; one marker is reserved at two relays. */
const LIMIT = ROOM + RELAYS * MARKERS_A_RELAY + 1;
/** faults.md: the store heals, a relay comes back, two sides meet. */
const CONVERGED_MS = 5_000;
/** faults.md: what the store has lost is rebuilt. */
const REBUILT_MS = 10_000;

const NEEDS: Record<StoreKind, readonly string[]> = { gossip: [], redis: ['redis-server', 'redis-cli'], sentinel: ['redis-server', 'redis-sentinel', 'redis-cli'], etcd: ['etcd', 'etcdctl'] };
const TITLES: Record<StoreKind, string> = { gossip: 'gossip', redis: 'one Redis', sentinel: 'Redis with two replicas and three sentinels', etcd: 'three members of etcd' };
/** What a run in short takes. */
const IN_SHORT: Record<StoreKind, readonly string[]> = { gossip: ['relay-kill', 'split'], redis: ['store-kill', 'store-cut'], sentinel: ['store-kill'], etcd: ['store-kill', 'two-store-freeze'] };

export const clusterRow = (kind: StoreKind): Row => ({
  name: `cluster-${kind}`,
  title: `a cluster of three relays on ${TITLES[kind]}: ${faultsOf(kind).map(({ name }) => name).join(', ')}`,
  faults: faultsOf(kind).map(({ name }) => name),
  full: { runs: 10, clients: LOAD },
  short: { runs: 1, clients: LOAD },
  deadlineMs: ({ runs }) => MINUTE_MS + runs * faultsOf(kind).length * RUN_MS,
  skip: () => noNamespaces() || lacking(...NEEDS[kind]),
  run: (scene) => run(scene, kind),
});

interface Figures {
  readonly dropped: Figure;
  readonly overshoot: Figure;
  readonly slower: Figure;
  readonly findings: Figure;
}

async function run(scene: Scene, kind: StoreKind): Promise<Figure[]> {
  const { short, only = short ? IN_SHORT[kind] : undefined } = scene.amount;
  const faults = faultsOf(kind).filter(({ name }) => only?.includes(name) ?? true);
  const cast = castOf();
  const net = await clusterNet(scene, { kind, peers: cast.victims + faults.length * scene.amount.runs, limits: { memberLimits: { reservations: { max: LIMIT } } } });
  for (const i of cast.markers.keys()) await reserveMarkers(net, cast, i);
  const figures: Figures = {
    dropped: new Figure('circuits dropped that the fault does not touch', 'count', { max: 0 }),
    overshoot: new Figure('reservations over what the bound allows', 'count', { max: 0 }),
    slower: new Figure('admission, p99 while broken over p99 before', 'count', { max: 2 }),
    findings: new Figure('findings of the checker', 'count', { max: 0 }),
  };
  const converges: Figure[] = [];
  for (const [i, fault] of faults.entries()) converges.push(await runFault(scene, net, { fault, cast, figures, first: i * scene.amount.runs, kind }));
  return [...converges, ...Object.values(figures)];
}

function castOf(): Cast {
  const markers = Array.from({ length: RELAYS }, (_, relay) => Array.from({ length: MARKERS_A_RELAY }, (_unused, i) => relay * MARKERS_A_RELAY + i));
  const double = RELAYS * MARKERS_A_RELAY;
  const prober = double + 1;
  markers.filter((_own, relay) => relay === VICTIM || relay === VICTIM - 1).forEach((own) => own.push(double));
  return { markers, double, prober, load: { first: prober + 1, width: LOAD }, victims: prober + 1 + LOAD };
}

interface FaultPlan {
  readonly fault: ClusterFault;
  readonly cast: Cast;
  readonly figures: Figures;
  /** The number of its first run in the row. */
  readonly first: number;
  readonly kind: StoreKind;
}

async function runFault(scene: Scene, net: ClusterNet, { fault, cast, figures, first, kind }: FaultPlan): Promise<Figure> {
  const isLost = kind === 'sentinel' || fault.name === 'store-kill';
  const converge = new Figure(`${fault.name}: ${fault.title}; until all is as before${fault.stopsWrites === true ? ', from when it takes writes again' : ''}`, 'ms', { max: isLost ? REBUILT_MS : CONVERGED_MS });
  const results: RunResult[] = [];
  for (let i = 0; i < scene.amount.runs; i++) {
    const before = await settled(STARTED_MS, () => converged(net, cast));
    if (before === undefined) throw new Error(`${fault.name}: the cluster was not whole before run ${i + 1}`);
    const result = await oneRun({ net, fault, cast, limit: LIMIT, number: first + i });
    results.push(result);
    if (result.convergedMs === undefined) converge.fail(`run ${i + 1}: not whole again`);
    else converge.add(result.convergedMs);
    figures.dropped.add(result.dropped.length);
    figures.overshoot.add(Math.max(0, result.overshoot - result.bound));
    figures.findings.add(result.findings.length);
    result.findings.forEach((finding) => figures.findings.fail(`${fault.name}, run ${i + 1}: ${finding}`));
    result.dropped.forEach((circuit) => figures.dropped.fail(`${fault.name}, run ${i + 1}: ${circuit.from} to ${circuit.to} through ${circuit.through}`));
  }
  compare(scene, fault, results, figures);
  noteRecovery(scene, fault, results);
  [converge, ...Object.values(figures)].forEach((figure: Figure) => (figure.runs += scene.amount.runs));
  return converge;
}

/** All runs of one fault together: one run alone has too few requests for a p99. */
function compare(scene: Scene, { name }: ClusterFault, results: readonly RunResult[], { slower }: Figures): void {
  const [before, during] = [results.flatMap((result) => result.before), results.flatMap((result) => result.during)];
  if (before.length > 0 && during.length > 0) slower.add(percentile(during, 99) / percentile(before, 99));
  const ms = (values: readonly number[]): string => `p50 ${percentile(values, 50).toFixed(1)}, p99 ${percentile(values, 99).toFixed(1)} ms of ${values.length}`;
  const over = results.map(({ overshoot }) => overshoot);
  scene.note(`${name}: admission before ${ms(before)}; while broken ${ms(during)}; over the limit of ${LIMIT} by at most ${Math.max(...over)}, where the bound allows ${Math.max(...results.map(({ bound }) => bound))}`);
}

function noteRecovery(scene: Scene, { name }: ClusterFault, results: readonly RunResult[]): void {
  const worst = (of: (result: RunResult) => number): string => Math.max(...results.map(of)).toFixed(0);
  const seen = worst(({ seenMs }) => seenMs ?? Infinity);
  if (results.some(({ storeMs }) => storeMs > 0)) scene.note(`${name}: the store itself took writes again after at most ${worst(({ storeMs }) => storeMs)} ms; what follows is counted from then`);
  const waiting = results.filter(({ tcp }) => tcp.excused > 0);
  if (waiting.length > 0) scene.note(`${name}: in ${waiting.length} of ${results.length} runs the TCP of up to ${worst(({ tcp }) => tcp.excused)} members waited to send again when the network was back, for at most ${worst(({ tcp }) => tcp.ms)} ms; those that are reserved nowhere else count from then`);
  scene.note(`${name}: every relay saw all after at most ${seen} ms, and was then tried by peers, whose event loop was late by at most ${worst(({ lag }) => lag.maxMs)} ms (p99 ${worst(({ lag }) => lag.p99Ms)} ms)`);
}
