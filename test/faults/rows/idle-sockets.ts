import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { WirePeer } from '../../support/wire-peer.ts';
import { Figure } from '../support/figure.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * One address opens a socket every 0.4 s that says nothing and stays open; honest peers of the same address connect meanwhile, and leave again.
 * The relay has the limits of tier 1, and the address is not exempt from any.
 */

const MINUTE_MS = 60_000;
const EVERY_MS = 400;
/** So many stand open before the first honest dial, and for so long, as if it had gone on for a while: as many as the relay lets one address have. */
const BEFORE = 16;
const BEFORE_MS = 2_000;
const ADDRESS = '127.0.0.2';
const DIALS_A_RUN = 100;
const WORKERS = 4;
/** Between two dials of one peer: a run takes some ten sockets' time. */
const GAP_MS = 150;

export const IDLE_SOCKETS: Row = {
  name: 'idle-sockets',
  title: 'one address opens an idle socket every 0.4 s: honest dials from it',
  full: { runs: 10, clients: WORKERS },
  short: { runs: 1, clients: WORKERS },
  deadlineMs: ({ runs }) => MINUTE_MS + runs * MINUTE_MS,
  run,
};

async function run(scene: Scene): Promise<Figure[]> {
  const succeeded = new Figure('honest dials that succeed, of each 100', '%', { min: 99 });
  const took = new Figure('an honest dial beside idle sockets', 'ms', {});
  const relay = await scene.relay({ name: 'relay', config: { profile: 'tier1', network: { allowPrivate: true } } });
  const peers = await Promise.all(Array.from({ length: scene.amount.clients }, () => WirePeer.start({ from: ADDRESS })));
  scene.defer(() => Promise.all(peers.map((peer) => peer.stop())));
  const idlers = new Idlers(relay);
  scene.defer(() => idlers.stop());
  for (let i = 0; i < BEFORE; i++) idlers.open();
  await delay(BEFORE_MS);
  idlers.start();
  for (let i = 0; i < scene.amount.runs; i++) {
    const errors: string[] = [];
    await Promise.all(peers.map((peer) => dialInTurn(peer, relay.addr, DIALS_A_RUN / peers.length, took, errors)));
    succeeded.add(100 * (1 - errors.length / DIALS_A_RUN));
    succeeded.runs = took.runs = i + 1;
    errors.forEach((error) => scene.note(`a dial failed: ${error}`));
  }
  const evicted = (await relay.metrics()).get('relayd_handshakes_evicted_total{reason="silent"}') ?? NaN;
  if (!(evicted > 0)) succeeded.fail('no idle socket was ever in the way');
  scene.note(`${idlers.opened} idle sockets, ${evicted} of which gave way`);
  return [succeeded, took];
}

async function dialInTurn(peer: WirePeer, addr: string, times: number, took: Figure, errors: string[]): Promise<void> {
  for (let i = 0; i < times; i++) {
    const startMs = nowMs();
    try {
      await peer.connect(addr);
      took.add(nowMs() - startMs);
      await peer.disconnect();
    } catch (error) {
      errors.push((error as Error).message);
    }
    await delay(GAP_MS);
  }
}

class Idlers {
  opened = 0;
  readonly #relay: Relay;
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  start(): void {
    this.#timer = setInterval(() => this.open(), EVERY_MS);
  }

  open(): void {
    const port = Number(/\/tcp\/(\d+)/.exec(this.#relay.addr)?.[1]);
    const socket = connect({ host: '127.0.0.1', port, localAddress: ADDRESS });
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    this.#sockets.add(socket);
    this.opened += 1;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sockets.forEach((socket) => socket.destroy());
  }
}
