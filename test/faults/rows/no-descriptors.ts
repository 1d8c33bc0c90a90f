import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { until } from '../../support/waiting.ts';
import { WirePeer } from '../../support/wire-peer.ts';
import { EchoCircuit } from '../support/echo-circuit.ts';
import { Figure } from '../support/figure.ts';
import { ROOMY } from '../support/loss-net.ts';
import { fileLimit, has, openFiles, setFileLimit } from '../support/open-files.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * A relay runs out of file descriptors: its limit is lowered to little more than it has open, and sockets that say nothing use up the
 * rest and go on coming. Circuits that are open must carry on, and when the sockets are gone it must let others in at once.
 */

const MINUTE_MS = 60_000;
/** Left free when the limit is lowered. */
const SPARE = 20;
const SOCKETS = 60;
/** How long it has none, with ten more sockets a second that want one. */
const WITHOUT_MS = 3_000;
const EVERY_MS = 100;
const ECHO_MS = 1_000;
const AGAIN_WITHIN_MS = 1_000;
const GIVE_UP_MS = 15_000;

export const NO_DESCRIPTORS: Row = {
  name: 'no-descriptors',
  title: 'a relay has no file descriptor left: open circuits go on, others come in when there are some again',
  full: { runs: 10, clients: 5 },
  short: { runs: 1, clients: 2 },
  deadlineMs: ({ runs }) => MINUTE_MS + runs * MINUTE_MS,
  skip: () => (has('prlimit') ? false : 'prlimit is not installed: apt-get install util-linux'),
  run,
};

async function run(scene: Scene): Promise<Figure[]> {
  const echoes = new Figure('an echo through an open circuit', 'ms', { max: ECHO_MS });
  const again = new Figure('a new peer reserves after they are free', 'ms', { max: AGAIN_WITHIN_MS });
  const relay = await scene.relay({ name: 'relay', config: { ...ROOMY, connections: { pendingPerPrefix: 'unlimited', inboundPerPrefix: 'unlimited' }, network: { allowPrivate: true } } });
  const circuits = await Promise.all(Array.from({ length: scene.amount.clients }, () => EchoCircuit.open(relay.addr)));
  scene.defer(() => Promise.all(circuits.map((circuit) => circuit.stop())));
  for (let i = 0; i < scene.amount.runs; i++) {
    await oneRun(scene, relay, circuits, { echoes, again });
    echoes.runs = again.runs = i + 1;
  }
  return [echoes, again];
}

async function oneRun(scene: Scene, relay: Relay, circuits: readonly EchoCircuit[], { echoes, again }: { echoes: Figure; again: Figure }): Promise<void> {
  const before = fileLimit(relay.pid);
  const sockets = new Set<Socket>();
  const crowd = (): void => void sockets.add(idleSocket(relay));
  setFileLimit(relay.pid, openFiles(relay.pid) + SPARE);
  for (let i = 0; i < SOCKETS; i++) crowd();
  const timer = setInterval(crowd, EVERY_MS);
  scene.defer(() => clearInterval(timer));
  const limit = fileLimit(relay.pid);
  await until(() => openFiles(relay.pid) >= limit, `the relay to use up its ${limit} descriptors`, GIVE_UP_MS);
  const endMs = nowMs() + WITHOUT_MS;
  do {
    await Promise.all(circuits.map((circuit) => circuit.echo(GIVE_UP_MS).then((ms) => echoes.add(ms), (error: Error) => echoes.fail(error.message))));
    await delay(EVERY_MS);
  } while (nowMs() < endMs);
  const inUse = openFiles(relay.pid);
  clearInterval(timer);
  sockets.forEach((socket) => socket.destroy());
  await timeToReserve(relay, again);
  setFileLimit(relay.pid, before);
  if (relay.exit !== undefined) again.fail(`the relay ended: ${relay.exit}`);
  scene.note(`${inUse} descriptors in use at the end at a limit of ${limit}, ${sockets.size} sockets wanted one`);
}

function idleSocket(relay: Relay): Socket {
  const socket = connect({ host: '127.0.0.1', port: Number(/\/tcp\/(\d+)/.exec(relay.addr)?.[1]) });
  return socket.on('error', () => {});
}

/** The limit is still low: only what the sockets had is free. */
async function timeToReserve(relay: Relay, again: Figure): Promise<void> {
  const freeMs = nowMs();
  const peer = await WirePeer.start();
  let last = '';
  try {
    while (nowMs() < freeMs + GIVE_UP_MS) {
      const outcome = await peer.connect(relay.addr).then(async () => (await peer.reserve()).status === 100).catch((error: Error) => void (last = error.message));
      if (outcome === true) {
        again.add(nowMs() - freeMs);
        return;
      }
      await delay(EVERY_MS / 4);
    }
    again.fail(`nobody could come in ${GIVE_UP_MS / 1000} s later: ${last}`);
  } finally {
    await peer.stop();
  }
}
