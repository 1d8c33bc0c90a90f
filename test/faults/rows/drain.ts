import type { DialOrder } from '../programs/clients/protocol.ts';
import type { Clients } from '../support/clients.ts';
import { EchoTunnel } from '../support/echo-tunnel.ts';
import { Figure } from '../support/figure.ts';
import { HeldLog } from '../support/held-log.ts';
import { ROOMY } from '../support/loss-net.ts';
import { Newcomer } from '../support/newcomer.ts';
import { targetsOf } from '../support/pairing.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { nowMs } from '../support/time.ts';
import { dialPort, service, tunnelPairs } from '../support/tunnel-pairs.ts';

/**
 * One of three relays gets SIGTERM while clients hold it and tunnels run through it. It must let nobody in, its clients must be
 * elsewhere before it closes and never hold fewer than they held, dials must go on, and tunnels until its deadline.
 */

const MINUTE_MS = 60_000;
const SECOND_MS = 1000;
const DEADLINE_MS = 10_000;
/** Ending everything takes a moment too. */
const CLOSED_WITHIN_MS = DEADLINE_MS + 5_000;
const RESERVED_WITHIN_MS = 60_000;
/** More would keep the processor busy with handshakes of its own: a hundred clients share one machine. */
const DIALS_EACH = 1;
const DESIRED = 2;

export const DRAIN: Row = {
  name: 'drain',
  title: 'one of three relays gets SIGTERM while tunnels are open: nobody in, all moved before it closes, no dial fails',
  full: { runs: 10, clients: 100 },
  short: { runs: 1, clients: 10 },
  deadlineMs: ({ runs }) => 3 * MINUTE_MS + runs * 2 * MINUTE_MS,
  run,
};

const makeFigures = () => ({
  least: new Figure('least reservations that a client held', 'count', { min: DESIRED }),
  moved: new Figure('all of its clients elsewhere after', 's', { max: DEADLINE_MS / SECOND_MS }),
  dials: new Figure('dials meanwhile', 'ms', { p99: SECOND_MS }),
  tunnels: new Figure('tunnels cut before the deadline', 'count', { max: 0 }),
  admitted: new Figure('reservations and circuits given to newcomers', 'count', { max: 0 }),
  closed: new Figure('closed after', 's', { max: CLOSED_WITHIN_MS / SECOND_MS }),
});

type Figures = ReturnType<typeof makeFigures>;

async function run(scene: Scene): Promise<Figure[]> {
  const figures = makeFigures();
  const identities = await scene.identities(scene.amount.clients);
  const config = { ...ROOMY, realm: { name: 'faults', members: identities.peerIds }, drain: { timeout: `${DEADLINE_MS}ms` }, network: { allowPrivate: true } };
  const relays = await Promise.all([0, 1, 2].map((i) => scene.relay({ name: `relay-${i}`, config })));
  const to = await service(scene, (socket) => socket.pipe(socket));
  const { clients, ports } = await tunnelPairs(scene, { identities, relays, to, client: { desired: DESIRED } });
  for (let i = 0; i < scene.amount.runs; i++) {
    await clients.untilHeld(DESIRED, { nobodyAway: true, timeoutMs: RESERVED_WITHIN_MS });
    await oneRun(scene, { relays, clients, ports, figures });
    Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
  }
  return Object.values(figures);
}

interface Parts {
  relays: readonly Relay[];
  clients: Clients;
  ports: readonly number[];
  figures: Figures;
}

async function oneRun(scene: Scene, { relays, clients, ports, figures }: Parts): Promise<void> {
  const tunnels = await Promise.all(ports.map(async (port) => new EchoTunnel(await dialPort(scene, port))));
  await Promise.all(tunnels.map((tunnel) => tunnel.untilEchoed()));
  const relay = await mostHeld(relays, clients);
  const newcomer = await Newcomer.beside(relay, clients);
  await clients.begin();

  const startMs = nowMs();
  relay.signal('SIGTERM');
  const closing = closed(relay);
  const [dials, closedMs] = await Promise.all([clients.dials(steadyDials(clients.peerIds, startMs)), closing, newcomer.begin()]);
  const { admitted, refused } = await newcomer.stop();
  figures.admitted.add(admitted);
  tunnels.forEach((tunnel) => tunnel.stop());
  const { held, lag } = await clients.end();

  countDials(figures.dials, dials, startMs);
  const log = new HeldLog(held);
  const affected = clients.peerIds.map((_, client) => client).filter((client) => log.at(client, startMs).includes(relay.peerId));
  affected.forEach((client) => figures.least.add(log.leastFrom(client, startMs)));
  countMoves(figures.moved, log, held, { relay: relay.peerId, affected, startMs, closedMs });
  figures.closed.add((closedMs - startMs) / SECOND_MS);
  if (relay.exit !== 'exit code 0') figures.closed.fail(`the relay ended with ${relay.exit ?? 'nothing'}`);
  const early = tunnels.filter(({ endedMs }) => endedMs !== undefined && endedMs - startMs < DEADLINE_MS - SECOND_MS / 2);
  figures.tunnels.add(early.length);
  scene.note(`${affected.length} clients held it; ${tunnels.filter(({ endedMs }) => endedMs !== undefined).length} of ${tunnels.length} tunnels ran through it, and until the deadline; a newcomer was told no ${refused} times; client processes late by at most ${Math.round(lag.maxMs)} ms`);
  await relay.start();
}

/** SIGKILL ends one that never closes. @returns when it had */
async function closed(relay: Relay): Promise<number> {
  const timer = setTimeout(() => relay.signal('SIGKILL'), 2 * CLOSED_WITHIN_MS);
  await relay.ended;
  clearTimeout(timer);
  return nowMs();
}

async function mostHeld(relays: readonly Relay[], clients: Clients): Promise<Relay> {
  const held = (await clients.snapshot()).flatMap((snapshot) => snapshot.held);
  const count = (relay: Relay): number => held.filter((peerId) => peerId === relay.peerId).length;
  const [most] = [...relays].sort((a, b) => count(b) - count(a));
  if (most === undefined) throw new Error('there is no relay');
  return most;
}

/** Each client dials another, from the signal to a second after the deadline. */
function steadyDials(peerIds: readonly string[], startMs: number): DialOrder[] {
  const spanMs = DEADLINE_MS + SECOND_MS;
  return peerIds.flatMap((_, from) => {
    // Not the one at the other end of its tunnel, whose circuit a fresh dial would close.
    const targets = targetsOf(from, peerIds, 2);
    return Array.from({ length: DIALS_EACH }, (__, i) => ({ from, to: targets.next().value, atMs: startMs + ((i + Math.random()) * spanMs) / DIALS_EACH }));
  });
}

function countDials(figure: Figure, dials: Awaited<ReturnType<Clients['dials']>>, startMs: number): void {
  for (const { from, atMs, tookMs, error } of dials) {
    if (error === undefined) figure.add(tookMs);
    else figure.fail(`client ${from}, ${((atMs - startMs) / SECOND_MS).toFixed(1)} s after SIGTERM: ${error}`);
  }
}

interface Move {
  relay: string;
  affected: readonly number[];
  startMs: number;
  closedMs: number;
}

function countMoves(figure: Figure, log: HeldLog, held: Awaited<ReturnType<Clients['end']>>['held'], { relay, affected, startMs, closedMs }: Move): void {
  const isMoved = (relays: readonly string[]): boolean => relays.filter((other) => other !== relay).length >= DESIRED;
  for (const client of affected) {
    // One that was about to leave it anyway has others already.
    const movedMs = isMoved(log.at(client, startMs)) ? startMs : held.find((one) => one.client === client && one.atMs > startMs && isMoved(one.relays))?.atMs;
    if (movedMs === undefined || movedMs > closedMs) figure.fail(`client ${client} held fewer than ${DESIRED} others when it closed`);
    else figure.add((movedMs - startMs) / SECOND_MS);
  }
}
