import { noNamespaces } from '../../support/netns/why-not.ts';
import type { DialOrder, Dialled } from '../programs/clients/protocol.ts';
import { readUsage } from '../../bench/support/usage.ts';
import { Figure } from '../support/figure.ts';
import { HeldLog } from '../support/held-log.ts';
import { lossNet } from '../support/loss-net.ts';
import type { LossNet, Way } from '../support/loss-net.ts';
import { targetsOf } from '../support/pairing.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * One fault after the other, chosen by chance, in three relays, with dials all the time. While a relay that is well holds both of two clients, a
 * dial between them must not fail; and after each fault all clients must come back to two reservations.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** Before the fault, and after it is over. */
const AROUND_MS = 2_000;
const FAULT_MS = { least: 1_000, most: 15_000, mostInShort: 5_000 };
/** Each client dials another this often, on average: a hundred of them share one machine, and a dial costs both ends a handshake. A few dials of a few clients may all have an excuse. */
const DIAL_EVERY_MS = { full: 20_000, short: 8_000 };
const BACK_WITHIN_MS = 60_000;

export const SOAK: Row = {
  name: 'soak',
  title: 'faults by chance in three relays for --minutes N, with dials all the time',
  full: { runs: 1, clients: 100 },
  short: { runs: 2, clients: 10 },
  deadlineMs: ({ runs, minutes, short }) => 3 * MINUTE_MS + (short ? runs * 2 * MINUTE_MS : (minutes + 3) * MINUTE_MS),
  run,
};

const makeFigures = () => ({
  dials: new Figure('dials while both hold a relay that is well', 'ms', { p99: SECOND_MS }),
  back: new Figure('all clients hold two again after', 's', { max: BACK_WITHIN_MS / SECOND_MS }),
});

type Figures = ReturnType<typeof makeFigures>;

async function run(scene: Scene): Promise<Figure[]> {
  const withCables = noNamespaces() === false;
  const ways: readonly Way[] = withCables ? ['kill', 'freeze', 'restart', 'cut'] : ['kill', 'freeze', 'restart'];
  const net = await lossNet(scene, withCables);
  const figures = makeFigures();
  const { short, runs, minutes } = scene.amount;
  const endMs = nowMs() + minutes * MINUTE_MS;
  const before = memory(net);
  for (let i = 0; short ? i < runs : nowMs() < endMs; i++) {
    await net.clients.untilHeld(2, { timeoutMs: BACK_WITHIN_MS });
    await episode(scene, net, ways[Math.floor(Math.random() * ways.length)] ?? 'kill', figures);
    Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
  }
  scene.note(`relays: ${before} MiB at the beginning, ${memory(net)} at the end`);
  return Object.values(figures);
}

function memory({ relays }: LossNet): string {
  return relays.map(({ pid }) => Math.round(readUsage(pid).rssKiB / 1024)).join(', ');
}

async function episode(scene: Scene, net: LossNet, way: Way, figures: Figures): Promise<void> {
  const { clients, relays } = net;
  const victim = relays[Math.floor(Math.random() * relays.length)]?.peerId ?? '';
  const mostMs = scene.amount.short ? FAULT_MS.mostInShort : FAULT_MS.most;
  const faultMs = FAULT_MS.least + Math.random() * (mostMs - FAULT_MS.least);
  await clients.begin();
  const startMs = nowMs();
  const dialling = clients.dials(dialsFor(clients.peerIds, startMs, { spanMs: faultMs + 2 * AROUND_MS, everyMs: scene.amount.short ? DIAL_EVERY_MS.short : DIAL_EVERY_MS.full }));
  await delay(AROUND_MS);
  const faultAtMs = nowMs();
  const heal = await net.lose(victim, way);
  // A restart is over when it returns, and lets nobody in from its beginning; all else has come when it returns.
  const cutUntilMs = way === 'restart' ? faultAtMs : nowMs();
  await delay(startMs + AROUND_MS + faultMs - nowMs());
  await heal();
  const healedMs = nowMs();
  const dials = await dialling;
  const lacking = await clients.lacking(2, { timeoutMs: BACK_WITHIN_MS });
  if (lacking.length > 0) figures.back.fail(`${way} of ${Math.round(faultMs / SECOND_MS)} s: ${lacking.length} clients do not hold two ${BACK_WITHIN_MS / SECOND_MS} s after it`);
  else figures.back.add((nowMs() - healedMs) / SECOND_MS);
  const { held, lag } = await clients.end();
  const excused = countDials(figures.dials, dials, new HeldLog(held), { victim, peerIds: clients.peerIds, faultAtMs, cutUntilMs, what: `${way} of ${Math.round(faultMs / SECOND_MS)} s` });
  scene.note(`${way} of ${Math.round(faultMs / SECOND_MS)} s: ${dials.length} dials, ${excused} failed with an excuse; client processes late by at most ${Math.round(lag.maxMs)} ms`);
}

function dialsFor(peerIds: readonly string[], startMs: number, { spanMs, everyMs }: { spanMs: number; everyMs: number }): DialOrder[] {
  const targets = peerIds.map((_, from) => targetsOf(from, peerIds));
  const times = Array.from({ length: Math.ceil((peerIds.length * spanMs) / everyMs) }, () => startMs + Math.random() * spanMs).sort((a, b) => a - b);
  return times.map((atMs) => {
    const from = Math.floor(Math.random() * peerIds.length);
    return { from, to: targets[from]?.next().value ?? '', atMs };
  });
}

interface Around {
  victim: string;
  peerIds: readonly string[];
  faultAtMs: number;
  /** What was opened before it is cut by the fault. */
  cutUntilMs: number;
  what: string;
}

/** @returns how many failed that may fail: where no other relay held both, and what the fault cut when it had been opened before */
function countDials(figure: Figure, dials: readonly Dialled[], log: HeldLog, { victim, peerIds, faultAtMs, cutUntilMs, what }: Around): number {
  let excused = 0;
  for (const { from, to, atMs, tookMs, via, error } of dials) {
    const theirs = log.at(peerIds.indexOf(to), atMs);
    const well = log.at(from, atMs).some((relay) => relay !== victim && theirs.includes(relay));
    const wasCut = via === victim && atMs < cutUntilMs;
    if (error === undefined && well) figure.add(tookMs);
    else if (error !== undefined && well && !wasCut) figure.fail(`${what}, ${((atMs - faultAtMs) / SECOND_MS).toFixed(1)} s after its beginning, ${Math.round(tookMs)} ms, ${via === victim ? 'through the relay that was lost' : `through ${via ?? 'nothing'}`}: ${error}`);
    else if (error !== undefined) excused += 1;
  }
  return excused;
}
