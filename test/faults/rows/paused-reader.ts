import { once } from 'node:events';
import type { Socket } from 'node:net';
import { settled } from '../../bench/support/settled.ts';
import { within } from '../../support/waiting.ts';
import { Figure } from '../support/figure.ts';
import { ROOMY } from '../support/loss-net.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay } from '../support/time.ts';
import { dialPort, service, tunnelPairs } from '../support/tunnel-pairs.ts';

/**
 * Two members, who have no limit of bytes, and a tunnel between them: the program at its far end stops reading while the near one sends
 * what it can. The relay may hold what its own limit for a direction allows, and no more.
 */

const MINUTE_MS = 60_000;
const MIB = 1 << 20;
/** Compilers and pools have seen this much before anything is measured. */
const WARM_UP_BYTES = { full: 256 * MIB, short: 64 * MIB };
const CHUNK = Buffer.alloc(64 * 1024, 1);
/** Nothing moves any more when the socket has taken nothing for so long. */
const STUCK_MS = 1_500;
/** A sender that is never stopped has shown enough. */
const ENOUGH_BYTES = 256 * MIB;
const BOUND_MIB = 1;

const BUFFERED = 'relayd_relay_buffered_bytes{class="member"}';

export const PAUSED_READER: Row = {
  name: 'paused-reader',
  title: 'a reader of an unlimited circuit stops, its sender does not: memory of the relay',
  full: { runs: 10, clients: 2 },
  short: { runs: 2, clients: 2 },
  deadlineMs: ({ runs }) => 3 * MINUTE_MS + runs * 2 * MINUTE_MS,
  run,
};

async function run(scene: Scene): Promise<Figure[]> {
  const grown = new Figure('a reader stops: growth of the relay', 'MiB', { max: BOUND_MIB });
  const identities = await scene.identities(2);
  const relay = await scene.relay({ name: 'relay', config: { ...ROOMY, realm: { name: 'faults', members: identities.peerIds }, network: { allowPrivate: true } } });
  const arrived: Socket[] = [];
  const to = await service(scene, (socket) => arrived.push(socket));
  const { clients, ports } = await tunnelPairs(scene, { identities, relays: [relay], to, client: { desired: 1 } });
  await clients.untilHeld(1, { timeoutMs: MINUTE_MS });
  const port = ports[0] ?? 0;
  const warmUpBytes = scene.amount.short ? WARM_UP_BYTES.short : WARM_UP_BYTES.full;
  await warmUp(scene, { port, arrived, bytes: warmUpBytes });
  const relayed = (await relay.metrics()).get('libp2p_relaysvc_data_transferred_bytes_total') ?? 0;
  if (relayed < warmUpBytes / 2) grown.fail(`the relay has carried ${relayed} bytes: the tunnel goes another way`);
  for (let i = 0; i < scene.amount.runs; i++) {
    await oneRun(scene, { relay, port, arrived, grown });
    grown.runs += 1;
  }
  return [grown];
}

/** Both ends of one more connection through the tunnel. */
async function open(scene: Scene, port: number, arrived: Socket[]): Promise<{ near: Socket; far: Socket }> {
  const before = arrived.length;
  const near = await dialPort(scene, port);
  near.write('x');
  const far = await within(arrival(arrived, before), 'a connection through the tunnel');
  return { near, far };
}

async function arrival(arrived: readonly Socket[], index: number): Promise<Socket> {
  for (;;) {
    const socket = arrived[index];
    if (socket !== undefined) return socket;
    await delay(10);
  }
}

async function warmUp(scene: Scene, { port, arrived, bytes }: { port: number; arrived: Socket[]; bytes: number }): Promise<void> {
  const { near, far } = await open(scene, port, arrived);
  far.resume();
  for (let sent = 0; sent < bytes; sent += CHUNK.byteLength) {
    if (!near.write(CHUNK)) await within(once(near, 'drain'), 'the warm-up to move');
  }
  near.destroy();
}

interface Parts {
  relay: Relay;
  port: number;
  arrived: Socket[];
  grown: Figure;
}

async function oneRun(scene: Scene, { relay, port, arrived, grown }: Parts): Promise<void> {
  const { near, far } = await open(scene, port, arrived);
  const before = await settled(relay.pid);
  const pushed = await pushUntilStuck(near);
  const after = await settled(relay.pid);
  const held = (await relay.metrics()).get(BUFFERED) ?? NaN;
  grown.add((after.rssKiB - before.rssKiB) / 1024);
  if (pushed >= ENOUGH_BYTES) grown.fail(`the sender was never stopped: ${pushed / MIB} MiB`);
  scene.note(`${(pushed / MIB).toFixed(1)} MiB sent until it stood still; relay ${(before.rssKiB / 1024).toFixed(1)} -> ${(after.rssKiB / 1024).toFixed(1)} MiB, of which it says it holds ${(held / MIB).toFixed(2)}`);
  near.destroy();
  far.destroy();
}

/** @returns the bytes that the near socket took */
async function pushUntilStuck(near: Socket): Promise<number> {
  for (let sent = 0; sent < ENOUGH_BYTES; sent += CHUNK.byteLength) {
    if (near.write(CHUNK)) continue;
    const moved = await within(once(near, 'drain'), 'a drain', STUCK_MS).then(() => true, () => false);
    if (!moved) return sent;
  }
  return ENOUGH_BYTES;
}
