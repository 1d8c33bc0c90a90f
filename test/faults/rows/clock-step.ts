import { join } from 'node:path';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import type { DialOrder } from '../programs/clients/protocol.ts';
import type { Clients } from '../support/clients.ts';
import { EchoCircuit } from '../support/echo-circuit.ts';
import { FakeClock, noFakeClock } from '../support/fake-clock.ts';
import { Figure } from '../support/figure.ts';
import { ROOMY } from '../support/loss-net.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * The wall clock of a relay, or of clients, is stepped an hour forward or back and later to the right time again. Lifetimes must not notice: a
 * reservation that nobody renews ends after its TTL, a circuit after its duration, and a client that renews stays reachable throughout.
 */

const MINUTE_MS = 60_000;
const SECOND_MS = 1000;
const HOUR_SECONDS = 3600;
/** Timers of the relay are coarse, by a second. */
const TOLERANCE_S = 1.5;
/** The step comes when both lifetimes have begun. */
const STEP_AFTER_MS = 2_000;
const LOOK_MS = 250;
/** What ends later than so much after its time is not waited for. */
const GIVE_UP_MS = 10 * TOLERANCE_S * SECOND_MS;
const RESERVED_WITHIN_MS = 30_000;

const STEPS = [
  { who: 'relay', seconds: HOUR_SECONDS },
  { who: 'relay', seconds: -HOUR_SECONDS },
  { who: 'clients', seconds: HOUR_SECONDS },
  { who: 'clients', seconds: -HOUR_SECONDS },
] as const;

type Step = (typeof STEPS)[number];

export const CLOCK_STEP: Row = {
  name: 'clock-step',
  title: 'the clock of a relay or of its clients is stepped an hour, and back: nothing expires early or late',
  full: { runs: 10, clients: 2 },
  short: { runs: 1, clients: 2 },
  deadlineMs: ({ runs }) => 2 * MINUTE_MS + runs * 2 * MINUTE_MS,
  skip: noFakeClock,
  run,
};

/** Lifetimes of the row: long enough to renew in, short enough to wait for. */
function lifetimes(short: boolean): { ttlMs: number; durationMs: number; watchMs: number } {
  const ttlMs = (short ? 8 : 20) * SECOND_MS;
  return { ttlMs, durationMs: ttlMs / 2, watchMs: ttlMs * 2.2 };
}

interface Figures {
  ttl: Figure;
  duration: Figure;
  dials: Figure;
}

/** All four at the same time: they wait most of theirs. */
async function run(scene: Scene): Promise<Figure[]> {
  const figures = await Promise.all(
    STEPS.map(async (step) => {
      const place = await placeOf(scene, step);
      const own = figuresOf(step);
      for (let i = 0; i < scene.amount.runs; i++) {
        await oneRun(scene, place, own, i % 2 === 0 ? step.seconds : 0);
        Object.values(own).forEach((figure: Figure) => (figure.runs += 1));
      }
      return Object.values(own) as Figure[];
    }),
  );
  return figures.flat();
}

function figuresOf({ who, seconds }: Step): Figures {
  const what = `clock of the ${who} ${seconds > 0 ? '+' : '-'}1 h`;
  return {
    ttl: new Figure(`${what}: end of a reservation, off its TTL by`, 's', { max: TOLERANCE_S }),
    duration: new Figure(`${what}: end of a circuit, off its duration by`, 's', { max: TOLERANCE_S }),
    dials: new Figure(`${what}: dials to a client that renews`, 'ms', { max: SECOND_MS }),
  };
}

interface Place {
  relay: Relay;
  clients: Clients;
  clock: FakeClock;
}

async function placeOf(scene: Scene, { who, seconds }: Step): Promise<Place> {
  const name = `${who}${seconds}`;
  await scene.fleet.peerId(name);
  const clock = new FakeClock(join(scene.fleet.dataDir(name), 'clock'));
  const { ttlMs, durationMs } = lifetimes(scene.amount.short);
  const limits = { ...ROOMY.relay.limits, reservations: { ttl: `${ttlMs}ms` }, circuits: { duration: `${durationMs}ms` } };
  const relay = await scene.relay({ name, prefix: who === 'relay' ? clock.prefix : [], config: { network: { allowPrivate: true }, relay: { ...ROOMY.relay, limits } } });
  const clients = await scene.clients({ count: scene.amount.clients, prefix: who === 'clients' ? clock.prefix : [], config: { client: { relays: [relay.addr], desired: 1 } } });
  await clients.untilHeld(1, { timeoutMs: RESERVED_WITHIN_MS });
  return { relay, clients, clock };
}

async function oneRun(scene: Scene, { relay, clients, clock }: Place, figures: Figures, seconds: number): Promise<void> {
  const { ttlMs, durationMs, watchMs } = lifetimes(scene.amount.short);
  const openingMs = nowMs();
  const circuit = await EchoCircuit.open(relay.addr);
  const beganMs = nowMs();
  const stepped = delay(STEP_AFTER_MS).then(() => clock.step(seconds));
  try {
    const watched = Promise.all([endOfCircuit(circuit, durationMs), endOfReservation(circuit, beganMs + ttlMs), dialEachSecond(clients, figures.dials, watchMs)]);
    const [circuitEndMs, reservationEndMs] = await watched;
    figures.duration.add(Math.abs(circuitEndMs - beganMs - durationMs) / SECOND_MS);
    figures.ttl.add(Math.abs(reservationEndMs - beganMs - ttlMs) / SECOND_MS);
    // A machine that stands still makes an end late, but none early.
    if (circuitEndMs < openingMs + durationMs - TOLERANCE_S * SECOND_MS) figures.duration.fail(`it ended early, after ${circuitEndMs - openingMs} ms`);
    if (reservationEndMs < openingMs + ttlMs - TOLERANCE_S * SECOND_MS) figures.ttl.fail(`it ended early, after ${reservationEndMs - openingMs} ms`);
    await stepped;
  } finally {
    await circuit.stop();
  }
}

/** @returns when, or NaN when it is far too late */
async function endOfCircuit(circuit: EchoCircuit, durationMs: number): Promise<number> {
  return Promise.race([circuit.ended, delay(durationMs + GIVE_UP_MS).then(() => NaN)]);
}

/** Asks for circuits to the peer around the time when its reservation ends. @returns when one was refused first for that */
async function endOfReservation({ source, target }: EchoCircuit, dueMs: number): Promise<number> {
  await delay(dueMs - 3 * TOLERANCE_S * SECOND_MS - nowMs());
  while (nowMs() < dueMs + GIVE_UP_MS) {
    const { status, stream } = await source.connectTo(target.peerId);
    if (status === Status.NO_RESERVATION) return nowMs();
    stream.abort(new Error('it was only to see whether it opens'));
    await delay(LOOK_MS);
  }
  return NaN;
}

/** One client to another, over the relay, one dial at a time: a fresh one closes what the one before has open. Neither may withdraw its address meanwhile. */
async function dialEachSecond(clients: Clients, dials: Figure, watchMs: number): Promise<void> {
  const startMs = nowMs();
  await clients.begin();
  for (let dueMs = startMs; dueMs < startMs + watchMs - SECOND_MS; dueMs = Math.max(dueMs + SECOND_MS, nowMs())) {
    await dialOnce(clients, dials, { from: 0, to: clients.peerIds[1] ?? '', atMs: dueMs }, startMs);
  }
  const withdrawn = (await clients.end()).announced.filter(({ relays }) => relays.length === 0);
  withdrawn.forEach(({ client, atMs }) => dials.fail(`${((atMs - startMs) / SECOND_MS).toFixed(0)} s after the beginning client ${client} withdrew its address`));
}

async function dialOnce(clients: Clients, dials: Figure, order: DialOrder, startMs: number): Promise<void> {
  for (const { atMs, tookMs, error } of await clients.dials([order])) {
    if (error === undefined) dials.add(tookMs);
    else dials.fail(`${((atMs - startMs) / SECOND_MS).toFixed(0)} s after the beginning: ${error}`);
  }
}
