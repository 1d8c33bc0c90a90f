import type { LineProcess } from '../../bench/support/line-process.ts';
import type { DialOrder, Dialled, Lag } from '../programs/clients/protocol.ts';
import type { Learnt } from '../programs/watcher.ts';
import type { Recording } from '../support/clients.ts';
import { Figure } from '../support/figure.ts';
import { HeldLog } from '../support/held-log.ts';
import { lossNet } from '../support/loss-net.ts';
import type { LossNet, Way } from '../support/loss-net.ts';
import { targetsOf } from '../support/pairing.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * A relay is lost while clients hold reservations at it and at another; a third stands by. Every client dials a peer at a random
 * moment after that, and what it announces, and what a peer that is connected to it knows of it, is written down.
 */

const MINUTE_MS = 60_000;

/** Dials begin within this time after the fault: before, while and after clients notice. */
const DIALS_WITHIN_MS = 6_000;
/** All processes have their orders by then. */
const LEAD_MS = 500;
/** The fault itself takes a moment. */
const AFTER_MS = 20;
/** No client takes longer to hold two again, or it has failed. */
const RECOVERED_WITHIN_MS = 40_000;
const LOOK_AGAIN_MS = 100;
/** Between two runs, for back-offs to end. */
const HEALED_WITHIN_MS = 60_000;

type LossWay = Exclude<Way, 'restart'>;

const TITLES: Record<LossWay, string> = { kill: 'killed (SIGKILL)', freeze: 'frozen (SIGSTOP)', cut: 'cut off in silence' };

export const relayLoss = (way: LossWay, skip?: Row['skip']): Row => ({
  name: way,
  title: `one of three relays is ${TITLES[way]}: fresh dials, withdrawal of its address, the way back to two reservations`,
  full: { runs: 10, clients: 100 },
  short: { runs: 1, clients: 10 },
  deadlineMs: ({ runs }) => MINUTE_MS + runs * 2 * MINUTE_MS,
  ...(skip === undefined ? {} : { skip }),
  run: (scene) => run(scene, way),
});

interface Figures {
  dial: Figure;
  withdrawn: Figure;
  learnt: Figure;
  recovered: Figure;
}

function makeFigures(way: LossWay): Figures {
  return {
    dial: new Figure('fresh dial and round trip', 'ms', way === 'kill' ? { p50: 200, p99: 1000 } : { p99: 1000 }),
    withdrawn: new Figure('the address is withdrawn', 'ms', { p99: 6000 }),
    learnt: new Figure('a connected peer has learnt that', 'ms', { p99: 6000 }),
    recovered: new Figure('two reservations on others', 'ms', { p50: 2000, p99: 10_000 }),
  };
}

async function run(scene: Scene, way: LossWay): Promise<Figure[]> {
  const net = await lossNet(scene, way === 'cut');
  const figures = makeFigures(way);
  const lags: Lag[] = [];
  for (let i = 0; i < scene.amount.runs; i++) {
    await net.clients.untilHeld(2, { nobodyAway: true, timeoutMs: HEALED_WITHIN_MS });
    lags.push(await oneRun(net, way, figures));
    Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
  }
  const most = (key: keyof Lag): string => Math.max(...lags.map((lag) => lag[key])).toFixed(key === 'cpuSeconds' ? 1 : 0);
  scene.note(`client processes, the worst run: event loop late by at most ${most('maxMs')} ms (p99 ${most('p99Ms')} ms), ${most('cpuSeconds')} CPU seconds`);
  return Object.values(figures);
}

async function oneRun(net: LossNet, way: LossWay, figures: Figures): Promise<Lag> {
  const { clients, watcher } = net;
  const victim = mostHeld((await clients.snapshot()).flatMap(({ announced }) => [...new Set(announced)]));
  await Promise.all([clients.begin(), watcher.order('begin')]);

  const atMs = nowMs() + LEAD_MS;
  const dialling = clients.dials(randomDials(clients.peerIds, atMs + AFTER_MS));
  await delay(atMs - nowMs());
  const faultMs = nowMs();
  const heal = await net.lose(victim, way);
  const lostMs = nowMs();
  const dials = await dialling;
  const lacking = await clients.lacking(2, { without: [victim], timeoutMs: Math.max(0, faultMs + RECOVERED_WITHIN_MS - nowMs()) });
  const recording = await clients.end();
  const loss = { victim, affected: holdersAt(faultMs, victim, recording), faultMs, recording, peerIds: clients.peerIds };
  const learnt = await whatWasLearnt(watcher, loss);
  await heal();

  countDials(figures.dial, dials, { victim, lostMs });
  countLosses(figures, { ...loss, learnt });
  lacking.forEach((one) => figures.recovered.fail(`client ${one.client} announced ${one.announced.length} relays ${RECOVERED_WITHIN_MS / 1000} s later`));
  return recording.lag;
}

function mostHeld(held: readonly string[]): string {
  const groups = [...Map.groupBy(held, (relay) => relay)].sort(([, a], [, b]) => b.length - a.length);
  return groups[0]?.[0] ?? '';
}

/** Clients that held the relay when it was lost: some may have moved since it was chosen. */
function holdersAt(faultMs: number, relay: string, { held }: Recording): number[] {
  const log = new HeldLog(held);
  return [...new Set(held.map(({ client }) => client))].filter((client) => log.at(client, faultMs).includes(relay));
}

/** One dial of each client, to another. */
function randomDials(peerIds: readonly string[], fromMs: number): DialOrder[] {
  return peerIds.map((_, from) => ({ from, to: targetsOf(from, peerIds).next().value, atMs: fromMs + Math.random() * DIALS_WITHIN_MS }));
}

function countDials(figure: Figure, dials: readonly Dialled[], { victim, lostMs }: { victim: string; lostMs: number }): void {
  for (const dial of dials) {
    // What was opened before the fault, which came late, is cut with it.
    const wasCut = dial.via === victim && dial.atMs < lostMs;
    if (dial.error === undefined) figure.add(dial.tookMs);
    else if (!wasCut) figure.fail(`client ${dial.from}, after ${Math.round(dial.tookMs)} ms: ${dial.error}`);
  }
}

interface Loss {
  victim: string;
  affected: readonly number[];
  faultMs: number;
  recording: Recording;
  peerIds: readonly string[];
}

/** What the watcher knows when it has heard of every client that was affected: news of the last to come back may still be on its way. */
async function whatWasLearnt(watcher: LineProcess, loss: Loss): Promise<readonly Learnt[]> {
  for (;;) {
    const { learnt } = await watcher.order<{ learnt: Learnt[] }>('end');
    const isComplete = loss.affected.every((client) => Number.isFinite(learntAfterMs(learnt, client, loss)));
    if (isComplete || nowMs() > loss.faultMs + RECOVERED_WITHIN_MS) return learnt;
    await delay(LOOK_AGAIN_MS);
  }
}

/** From the fault until the watcher knew that a client is no more to be reached through the relay; NaN when it never did. */
function learntAfterMs(learnt: readonly Learnt[], client: number, { victim, faultMs, peerIds }: Loss): number {
  const known = learnt.filter((one) => one.peerId === peerIds[client] && one.atMs >= faultMs);
  return firstOf(known, (relays) => !relays.includes(victim)) - faultMs;
}

function countLosses({ withdrawn, learnt, recovered }: Figures, loss: Loss & { learnt: readonly Learnt[] }): void {
  const { victim, faultMs } = loss;
  const isGone = (relays: readonly string[]): boolean => !relays.includes(victim);
  const isBack = (relays: readonly string[]): boolean => new Set(relays.filter((relay) => relay !== victim)).size >= 2;
  for (const client of loss.affected) {
    const own = loss.recording.announced.filter((one) => one.client === client && one.atMs >= faultMs);
    count(withdrawn, client, firstOf(own, isGone) - faultMs);
    count(learnt, client, learntAfterMs(loss.learnt, client, loss));
    const backMs = firstOf(own, isBack) - faultMs;
    // Who never came back is counted by the wait for it.
    if (Number.isFinite(backMs)) recovered.add(backMs);
  }
}

/** When it held first; NaN when it never did. */
function firstOf(list: readonly { atMs: number; relays: string[] }[], holds: (relays: readonly string[]) => boolean): number {
  return list.find(({ relays }) => holds(relays))?.atMs ?? NaN;
}

function count(figure: Figure, client: number, ms: number): void {
  if (Number.isFinite(ms)) figure.add(ms);
  else figure.fail(`client ${client}: never`);
}

