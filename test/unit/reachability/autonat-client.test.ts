import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { ReachabilityView } from '../../../src/lib/contracts.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { readExactly } from '../../../src/lib/read-stream.ts';
import type { AutonatClientOptions } from '../../../src/reachability/autonat-client.ts';
import { DIAL_BACK_PROTOCOL, DIAL_REQUEST_PROTOCOL, DialStatus, ResponseStatus, decodeMessage, encodeDialBack, encodeMessage } from '../../../src/reachability/autonat-protocol.ts';
import type { DialRequest, DialResponse } from '../../../src/reachability/autonat-protocol.ts';
import { AutonatClient } from '../../../src/reachability/index.ts';
import { settled, until, within } from '../../support/waiting.ts';
import { addrOf, bareNode, readMessage, servedNode, valueOf } from './autonat-support.ts';
import type { Node } from './autonat-support.ts';

const DEADLINE = { timeout: 60_000 };
const GATHER_MS = 200;
/** The wait between two checks of a node that is reachable, with the most that chance adds. */
const SURE_MS = 27_501;

interface Watched extends AsyncDisposable {
  node: Node;
  client: AutonatClient;
  clock: ManualClock;
  registry: Registry;
  changes: { value: string; guesses: string[] }[];
}

/** A node that wants to know whether it is reachable, on a clock that stands still. */
async function watched(options: Partial<AutonatClientOptions> = {}, listen = ['/ip4/127.0.0.1/tcp/0']): Promise<Watched> {
  const node = await bareNode({ listen });
  const clock = new ManualClock();
  const registry = new Registry();
  const changes: { value: string; guesses: string[] }[] = [];
  const client = new AutonatClient({
    host: {
      handle: (protocol, handler, o) => node.handle(protocol, handler, o),
      unhandle: (protocol) => node.unhandle(protocol),
      getConnections: (peer) => node.getConnections(peer),
      dial: (peer, signal) => node.dial(peer, { signal }),
      listenAddrs: () => node.getMultiaddrs(),
      addEventListener: (type, listener) => node.addEventListener(type, listener),
      removeEventListener: (type, listener) => node.removeEventListener(type, listener),
    },
    announce: [],
    mayTell: () => true,
    isTrusted: () => false,
    onChange: ({ value }: ReachabilityView, guesses: readonly Multiaddr[]) => changes.push({ value, guesses: guesses.map(String) }),
    clock,
    random: () => 1,
    log: silentLogger,
    registry,
    ...options,
  });
  await client.start();
  const dispose = async (): Promise<void> => {
    await client.stop();
    await node.stop();
  };
  return { node, client, clock, registry, changes, [Symbol.asyncDispose]: dispose };
}

/** Connects to `server`, of which the client then knows that it can be asked. */
async function meet(watching: Watched, server: Node): Promise<Connection> {
  const pending = watching.clock.pending;
  const connection = await watching.node.dial(addrOf(server));
  await until(() => watching.clock.pending > pending, 'a round is planned');
  return connection;
}

async function rounds(watching: Watched, ms: number, check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  watching.clock.advance(ms);
  await until(check, what);
}

type Script = (request: DialRequest, stream: Stream, connection: Connection) => Promise<Partial<DialResponse> | undefined>;

/** A peer that says of itself that it dials back, and does what a test says. */
async function scripted(script: Script): Promise<Node & { requests: DialRequest[] }> {
  const node = await bareNode();
  const requests: DialRequest[] = [];
  await node.handle(DIAL_REQUEST_PROTOCOL, async (stream, connection) => {
    const message = decodeMessage(await readFrame(stream, { signal: AbortSignal.timeout(5_000), maxBytes: 8_192 }));
    assert.equal(message.type, 'dialRequest');
    requests.push(message);
    const answer = await script(message, stream, connection);
    if (answer !== undefined) writeFrame(stream, encodeMessage({ type: 'dialResponse', status: ResponseStatus.OK, addrIndex: 0, dialStatus: DialStatus.OK, ...answer }));
    await stream.close();
  });
  return Object.assign(node, { requests });
}

async function bringNonce(connection: Connection, nonce: bigint): Promise<void> {
  const stream = await connection.newStream(DIAL_BACK_PROTOCOL);
  writeFrame(stream, encodeDialBack(nonce));
  await readExactly(stream, 1, AbortSignal.timeout(5_000));
}

const checks = (watching: Watched, outcome: string): Promise<number | undefined> => valueOf(watching.registry, 'relayd_client_reachability_checks_total', { outcome });

test('one relay that dials back is enough to be public', DEADLINE, async () => {
  await using served = await servedNode();
  await using watching = await watched();
  await meet(watching, served.node);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'public', 'public');
  assert.deepEqual(watching.client.confirmed, [addrOf(watching.node).toString().replace(/\/p2p\/.*/, '')]);
  assert.deepEqual(watching.changes, [{ value: 'public', guesses: [] }]);
  assert.equal(await valueOf(watching.registry, 'relayd_client_reachability', { state: 'public' }), 1);
  assert.equal(await valueOf(watching.registry, 'relayd_client_reachability', { state: 'unknown' }), 0);
  assert.equal(await checks(watching, 'reachable'), 1);
});

test('a node that accepts no connections is private before anybody is asked', DEADLINE, async () => {
  await using served = await servedNode();
  await using watching = await watched({}, []);
  assert.deepEqual(watching.changes, [{ value: 'private', guesses: [] }]);
  await watching.node.dial(addrOf(served.node));
  await settled();
  assert.equal(watching.clock.pending, 0);
  await watching.client.stop();
  assert.equal(watching.client.value, 'unknown');
  await watching.client.start();
  assert.equal(watching.client.value, 'private');
});

test('an announced port that nobody listens on makes it private, and the check is repeated less and less often', DEADLINE, async () => {
  await using served = await servedNode();
  await using watching = await watched({ announce: ['/ip4/127.0.0.1/tcp/1'] });
  await meet(watching, served.node);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'private', 'private');
  assert.deepEqual(watching.client.denied, ['/ip4/127.0.0.1/tcp/1']);
  for (const [count, minutes] of [[2, 1], [3, 2], [4, 4], [5, 8], [6, 15], [7, 15]] as const) {
    await until(() => watching.clock.pending === 1, 'the next round is planned');
    watching.clock.advance(minutes * 66_000 - 1);
    assert.equal(await checks(watching, 'unreachable'), count - 1);
    await rounds(watching, 1, async () => (await checks(watching, 'unreachable')) === count, `check ${count}`);
  }
});

test('a port that is closed is known after two checks, within a minute and without a third peer', DEADLINE, async () => {
  let isOpen = true;
  await using served = await servedNode();
  await using liar = await scripted(async () => Promise.resolve({ dialStatus: isOpen ? DialStatus.OK : DialStatus.DIAL_ERROR }));
  await using watching = await watched();
  await meet(watching, served.node);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'public', 'public');
  await served.server.stop();
  await served.node.stop();
  isOpen = false;
  const begun = watching.clock.now();
  const met = new Promise((resolve) => watching.node.addEventListener('peer:identify', resolve, { once: true }));
  await watching.node.dial(addrOf(liar));
  await within(met, 'the other peer is known');
  await until(() => watching.clock.pending === 1, 'the next round is planned');
  await rounds(watching, SURE_MS, async () => (await checks(watching, 'unreachable')) === 1, 'the first denial');
  assert.equal(watching.client.value, 'public');
  await until(() => watching.clock.pending === 1, 'the second opinion is planned');
  await rounds(watching, 2_200, () => watching.client.value === 'private', 'private');
  // Each of the two dials may take the server its whole 8 s.
  assert.ok(watching.clock.now() - begun + 2 * 8_000 < 60_000, `${watching.clock.now() - begun}`);
  assert.deepEqual(watching.changes.map(({ value }) => value), ['public', 'private']);
});

test('a peer that says that it dialled, and did not, is not believed', DEADLINE, async () => {
  await using liar = await scripted(() => Promise.resolve({}));
  await using watching = await watched();
  await meet(watching, liar);
  watching.clock.advance(GATHER_MS);
  await until(() => liar.requests.length === 1, 'it is asked');
  await until(() => watching.clock.pending >= 2, 'the nonce is waited for');
  await settled();
  watching.clock.advance(2_000);
  await until(async () => (await checks(watching, 'failed')) === 1, 'the check fails');
  assert.equal(watching.client.value, 'unknown');
});

test('a nonce is believed only when it is the right one, and comes on a new connection from outside', DEADLINE, async () => {
  const refused: string[] = [];
  const isRefused = async (what: string, bring: Promise<void>): Promise<void> => {
    try {
      await bring;
    } catch {
      refused.push(what);
    }
  };
  await using dialler = await bareNode({ listen: [] });
  let ownAddr: Multiaddr | undefined;
  await using peer = await scripted(async ({ nonce }, _stream, connection) => {
    await isRefused('over the connection that the client opened', bringNonce(connection, nonce));
    assert.ok(ownAddr);
    const back = await dialler.dial(ownAddr);
    await isRefused('another nonce', bringNonce(back, nonce ^ 1n));
    await bringNonce(back, nonce);
    return { dialStatus: DialStatus.DIAL_BACK_ERROR };
  });
  await using watching = await watched();
  ownAddr = addrOf(watching.node);
  await meet(watching, peer);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'public', 'public');
  assert.deepEqual(refused, ['over the connection that the client opened', 'another nonce']);
});

test('the data that a server wants for a dial elsewhere is sent, up to 100 kB', DEADLINE, async () => {
  let received = 0;
  let wanted = 30_000;
  await using peer = await scripted(async ({ addrs }, stream) => {
    assert.ok(addrs.length > 0);
    writeFrame(stream, encodeMessage({ type: 'dialDataRequest', addrIndex: 0, sizeBytes: wanted }));
    while (received < wanted) {
      const message = await readMessage(stream);
      assert.equal(message.type, 'dialDataResponse');
      assert.ok(message.data.byteLength <= 4_096);
      received += message.data.byteLength;
    }
    return { dialStatus: DialStatus.DIAL_ERROR };
  });
  await using watching = await watched();
  await meet(watching, peer);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'private', 'private');
  assert.ok(received >= 30_000 && received < 30_000 + 4_096);
  wanted = 100_001;
  received = 0;
  await until(() => watching.clock.pending === 1, 'the next round is planned');
  await rounds(watching, 66_000, async () => (await checks(watching, 'failed')) === 1, 'the check fails');
  assert.equal(received, 0);
});

test('a server that dials nothing of it is asked again, less and less often, and the verdict stays unknown', DEADLINE, async () => {
  await using served = await servedNode({ allowPrivate: false });
  await using watching = await watched();
  await meet(watching, served.node);
  await rounds(watching, GATHER_MS, async () => (await checks(watching, 'refused')) === 1, 'refused');
  for (const [count, seconds] of [[2, 10], [3, 20], [4, 40], [5, 80], [6, 120], [7, 120]] as const) {
    await until(() => watching.clock.pending === 1, 'the next round is planned');
    await rounds(watching, seconds * 1_100, async () => (await checks(watching, 'refused')) === count, `check ${count}`);
  }
  assert.equal(watching.client.value, 'unknown');
});

test('a server that has left is connected to again, and without an answer for ten minutes nothing is known', DEADLINE, async () => {
  await using served = await servedNode();
  await using watching = await watched();
  const connection = await meet(watching, served.node);
  await rounds(watching, GATHER_MS, () => watching.client.value === 'public', 'public');
  await connection.close();
  await until(() => watching.clock.pending === 1, 'the next round is planned');
  await rounds(watching, SURE_MS, async () => (await checks(watching, 'reachable')) === 2, 'it is asked again');
  await served.node.stop();
  const lost = watching.clock.now();
  while (watching.client.value === 'public') {
    await until(() => watching.clock.pending === 1, 'the next round is planned');
    watching.clock.advance(10_000);
    await settled(2);
  }
  assert.equal(watching.client.value, 'unknown');
  assert.ok(watching.clock.now() - lost > 9 * 60_000 && watching.clock.now() - lost < 14 * 60_000, `${watching.clock.now() - lost}`);
});

for (const [isTrusted, value, changes] of [
  [true, 'public', 1],
  [false, 'unknown', 0],
] as const) {
  test(`the address that a peer sees, with a port of the node, is asked about; ${isTrusted ? "the operator's peer is believed" : 'a stranger alone is not'}`, DEADLINE, async () => {
    await using served = await servedNode();
    await using ports = await bareNode({ listen: ['/ip4/0.0.0.0/tcp/0'] });
    const port = Number(/tcp\/(\d+)/.exec(addrOf(ports).toString())?.[1]);
    await ports.stop();
    await using watching = await watched({ isTrusted: () => isTrusted, announce: [`/dns4/example.org/tcp/${port}`] }, [`/ip4/0.0.0.0/tcp/${port}`]);
    await meet(watching, served.node);
    await rounds(watching, GATHER_MS, async () => (await checks(watching, 'reachable')) === 1, 'it is dialled');
    await until(() => watching.clock.pending === 1, 'the next round is planned');
    assert.equal(watching.client.value, value);
    assert.deepEqual(watching.changes, Array.from({ length: changes }, () => ({ value: 'public', guesses: [`/ip4/127.0.0.1/tcp/${port}`] })));
  });
}
