import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { DIAL_BACK_PROTOCOL, DIAL_BACK_RESPONSE, DIAL_REQUEST_PROTOCOL, decodeDialBack } from '../../../src/reachability/autonat-protocol.ts';
import { until, within } from '../../support/waiting.ts';
import { addrOf, bareNode, openRequest, readMessage, request, servedNode, valueOf } from './autonat-support.ts';
import type { Node } from './autonat-support.ts';

const DEADLINE = { timeout: 60_000 };
const OK = 200;
const REJECTED = 100;
const REFUSED = 101;

interface DialBack {
  nonce: bigint;
  connection: Connection;
}

/** Answers dial-backs as the specification wants, and shows each. */
async function answering(node: Node): Promise<DialBack[]> {
  const seen: DialBack[] = [];
  await node.handle(DIAL_BACK_PROTOCOL, async (stream, connection) => {
    seen.push({ nonce: decodeDialBack(await readFrame(stream, { signal: AbortSignal.timeout(5_000) })), connection });
    writeFrame(stream, DIAL_BACK_RESPONSE);
    await stream.close();
  });
  return seen;
}

/** Asks for a dial to a port that accepts and says nothing; the dial has begun. */
async function askForSilence(connection: Connection): Promise<{ stream: Stream } & AsyncDisposable> {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const accepted = once(silent, 'connection');
  const { port } = silent.address() as AddressInfo;
  const stream = await openRequest(connection, { type: 'dialRequest', addrs: [multiaddr(`/ip4/127.0.0.1/tcp/${port}`).bytes], nonce: 1n });
  await within(accepted, 'the dial');
  return { stream, [Symbol.asyncDispose]: () => Promise.resolve(void silent.close()) };
}

const response = (status: number, addrIndex = 0, dialStatus = 0): object => ({ type: 'dialResponse', status, addrIndex, dialStatus });

test('the nonce comes back on a new connection of another identity, which counts for nothing on the server and is closed again', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode();
  const dialBacks = await answering(client);
  const connection = await client.dial(addrOf(served.node));
  assert.deepEqual(await request(connection, [addrOf(client)], 0xfedcba9876543210n), response(OK, 0, OK));
  const [dialBack] = dialBacks;
  assert.ok(dialBack !== undefined && dialBacks.length === 1);
  assert.equal(dialBack.nonce, 0xfedcba9876543210n);
  assert.notEqual(dialBack.connection, connection);
  assert.equal(dialBack.connection.direction, 'inbound');
  assert.notEqual(dialBack.connection.remotePeer.toString(), served.node.peerId.toString());
  assert.equal(served.node.getConnections().length, 1);
  await until(() => client.getConnections().length === 1, 'the dial-back is closed');
  assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_total', { outcome: 'ok' }), 1);
  assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_running', {}), 0);
});

test('an address where nobody listens is a dial error, one where another peer listens too', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode();
  await using stranger = await bareNode();
  const connection = await client.dial(addrOf(served.node));
  assert.deepEqual(await request(connection, ['/ip4/127.0.0.1/tcp/1']), response(OK, 0, 100));
  const port = /tcp\/\d+/.exec(addrOf(stranger).toString())?.[0];
  assert.deepEqual(await request(connection, [`/ip4/127.0.0.1/${port}`]), response(OK, 0, 100));
  assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_total', { outcome: 'dial error' }), 2);
});

test('a client that does not take the nonce is a dial back error', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode();
  const connection = await client.dial(addrOf(served.node));
  assert.deepEqual(await request(connection, [addrOf(client)]), response(OK, 0, 101));
});

test('no host but the one that asks is ever dialled', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode({ from: '127.0.0.9' });
  const victim = createServer().listen(0, '127.0.0.1');
  await once(victim, 'listening');
  let hits = 0;
  victim.on('connection', (socket) => {
    hits += 1;
    socket.destroy();
  });
  try {
    const { port } = victim.address() as AddressInfo;
    const connection = await client.dial(addrOf(served.node));
    assert.deepEqual(await request(connection, [`/ip4/127.0.0.1/tcp/${port}`, `/dns4/localhost/tcp/${port}`]), response(REFUSED));
    assert.deepEqual(await request(connection, [`/ip4/127.0.0.1/tcp/${port}`, '/ip4/127.0.0.9/tcp/1']), response(OK, 1, 100), 'the next address that is its own is');
    assert.equal(hits, 0);
    assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_total', { outcome: 'dial refused' }), 1);
  } finally {
    victim.close();
  }
});

test('a private address is not dialled unless those are allowed', DEADLINE, async () => {
  await using served = await servedNode({ allowPrivate: false });
  await using client = await bareNode();
  const dialBacks = await answering(client);
  const connection = await client.dial(addrOf(served.node));
  assert.deepEqual(await request(connection, [addrOf(client)]), response(REFUSED));
  assert.equal(dialBacks.length, 0);
});

test('a peer that asks too often is rejected, and one that comes over a relay always', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode();
  const connection = await client.dial(addrOf(served.node));
  for (let i = 0; i < 12; i++) {
    assert.deepEqual(await request(connection, ['/ip4/127.0.0.1/tcp/1']), response(OK, 0, 100));
  }
  assert.deepEqual(await request(connection, ['/ip4/127.0.0.1/tcp/1']), response(REJECTED));
  assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_total', { outcome: 'rejected' }), 1);

  await using other = await bareNode();
  const toOther = await other.dial(addrOf(served.node));
  await until(() => served.node.getConnections(other.peerId).length === 1, 'the server has the connection');
  const [asSeen] = served.node.getConnections(other.peerId) as [Connection];
  asSeen.remoteAddr = multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${client.peerId.toString()}/p2p-circuit/p2p/${other.peerId.toString()}`);
  assert.deepEqual(await request(toOther, ['/ip4/127.0.0.1/tcp/1']), response(REJECTED));
});

test('a request that is none, or never comes, ends in a reset', DEADLINE, async () => {
  const clock = new ManualClock();
  await using served = await servedNode({ clock });
  await using client = await bareNode();
  const connection = await client.dial(addrOf(served.node));
  const wrong = await openRequest(connection, { type: 'dialDataResponse', data: new Uint8Array(8) });
  await assert.rejects(readMessage(wrong));
  const silent = await connection.newStream(DIAL_REQUEST_PROTOCOL);
  const ended = once(silent, 'close');
  await until(() => served.node.getConnections()[0]?.streams.some(({ protocol }) => protocol === DIAL_REQUEST_PROTOCOL) === true, 'the server waits for the request');
  clock.advance(5_000);
  await within(ended, 'the end of the stream');
  assert.equal(await valueOf(served.registry, 'relayd_autonat_requests_total', { outcome: 'malformed' }), 2);
});

test('a port that swallows what comes is a dial error at the deadline', DEADLINE, async () => {
  const clock = new ManualClock();
  await using served = await servedNode({ clock });
  await using client = await bareNode();
  const connection = await client.dial(addrOf(served.node));
  await using swallowed = await askForSilence(connection);
  clock.advance(8_000);
  assert.deepEqual(await readMessage(swallowed.stream), response(OK, 0, 100));
});

test('stops in the middle of a dial, and starts again', DEADLINE, async () => {
  await using served = await servedNode();
  await using client = await bareNode();
  const dialBacks = await answering(client);
  const connection = await client.dial(addrOf(served.node));
  await using swallowed = await askForSilence(connection);
  await served.server.stop();
  assert.deepEqual(await readMessage(swallowed.stream), response(0), 'an internal error: it says nothing of the client');
  await assert.rejects(request(connection, [addrOf(client)]));
  await served.server.start();
  assert.deepEqual(await request(connection, [addrOf(client)]), response(OK, 0, OK));
  assert.equal(dialBacks.length, 1);
});
