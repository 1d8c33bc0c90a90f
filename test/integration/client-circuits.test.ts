import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Uint8ArrayList } from 'uint8arraylist';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { decodeHop, decodeStop, encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import type { Limit } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL, STOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import type { RelaydError } from '../../src/lib/errors.ts';
import { within } from '../support/waiting.ts';
import { addrOf, drained, metric, plainNode, stockRelay, testClient, until } from '../unit/client/support.ts';
import type { TestClient, TestNode } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };
const ECHO = '/test/echo/1.0.0';
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const stranger = async (): Promise<Uint8Array> => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes;

async function reserved(relay: TestNode, options: Parameters<typeof testClient>[0] = {}): Promise<TestClient> {
  const client = await testClient({ relays: [addrOf(relay)], ...options });
  await until(() => client.supervisor.held === 1, 'the relay is held');
  return client;
}

function circuitTo(client: TestClient): string {
  return client.supervisor.circuitAddrs()[0] ?? assert.fail('no circuit address');
}

async function connect(from: TestClient, to: TestClient): Promise<Connection> {
  return await from.libp2p.dial(multiaddr(circuitTo(to)), { signal: soon() });
}

/** The other end of the circuit, which is there a moment later. */
async function incomingFrom(caller: TestClient, target: TestClient): Promise<Connection> {
  await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 1, 'the target has the connection');
  return target.libp2p.getConnections(caller.libp2p.peerId)[0] ?? assert.fail();
}

/** All that `stream` brings until its end. */
async function readAll(stream: Stream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part.subarray());
  return Buffer.concat(parts);
}

test('a peer is reached through a relay that is not ours, and the connection is unlimited where the relay sets no limit', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const connection = await connect(caller, target);
  assert.equal(connection.remotePeer.toString(), target.id);
  assert.equal(connection.direct, false);
  assert.equal(connection.limits, undefined);
  assert.equal(connection.remoteAddr.toString(), circuitTo(target));
  const incoming = await incomingFrom(caller, target);
  assert.equal(incoming.limits, undefined);
  assert.match(incoming.remoteAddr.toString(), new RegExp(`/p2p/${relay.peerId.toString()}/p2p-circuit/p2p/${caller.id}$`));
  assert.equal(await metric(target.registry, 'relayd_client_stop_requests_total{outcome="ok"}'), 1);
});

test('a relay\'s limits are on both ends of the connection, enumerable', DEADLINE, async () => {
  // The library cuts the circuit after so many milliseconds, and says the number in a field of seconds.
  const seconds = 120_000;
  await using relay = await stockRelay({ reservations: { applyDefaultLimit: true, defaultDurationLimit: seconds, defaultDataLimit: 131072n } });
  await using target = await reserved(relay);
  await using caller = await testClient();
  const connection = await connect(caller, target);
  assert.deepEqual({ ...connection.limits }, { seconds, bytes: 131072n });
  assert.deepEqual({ ...(await incomingFrom(caller, target)).limits }, { seconds, bytes: 131072n });
});

test('half-close is passed on, and the reply still flows', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  await target.libp2p.handle(ECHO, (stream) => {
    void readAll(stream).then((all) => {
      stream.send(all.reverse());
      return stream.close();
    });
  });
  const stream = await (await connect(caller, target)).newStream(ECHO, { signal: soon() });
  const data = randomBytes(100_000);
  stream.send(data);
  const reply = readAll(stream);
  await stream.close();
  assert.deepEqual(await reply, Buffer.from(data).reverse());
});

test('closing a circuit closes it at the other end, and leaves no stream on the relay\'s connection', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const hopOf = (client: TestClient): Stream[] => client.libp2p.getConnections(relay.peerId).flatMap(({ streams }) => streams.filter(({ protocol }) => protocol === HOP_PROTOCOL || protocol === STOP_PROTOCOL));
  for (const [ender, other] of [[caller, target], [target, caller]] as const) {
    await connect(caller, target);
    await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 1, 'both ends are open');
    await ender.libp2p.getConnections(other.libp2p.peerId)[0]?.close();
    await until(() => other.libp2p.getConnections(ender.libp2p.peerId).length === 0, 'the other end is closed');
    await until(() => hopOf(caller).length === 0 && hopOf(target).length === 0, 'the streams under it are gone');
  }
});

test('an aborted circuit aborts the other end', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const connection = await connect(caller, target);
  await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 1, 'both ends are open');
  connection.abort(new Error('enough'));
  await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 0, 'the other end is gone');
});

test('a relay that dies takes its circuits with it', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const connection = await connect(caller, target);
  const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
  relay.getConnections().forEach((open) => open.abort(new Error('killed')));
  await within(closed, 'the one end is gone');
  await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 0, 'the other end is gone');
});

test('a paused reader stops the sender: little is held at either end', DEADLINE, async () => {
  const muxer = { streamOptions: { initialStreamWindowSize: 256 * 1024, maxStreamWindowSize: 256 * 1024 } };
  await using relay = await stockRelay();
  await using target = await reserved(relay, { muxer });
  await using caller = await testClient({ muxer });
  let reader: Stream | undefined;
  let received = 0;
  await target.libp2p.handle(ECHO, (stream) => {
    reader = stream;
    stream.addEventListener('message', (event) => (received += event.data.byteLength));
    stream.pause();
  });
  const stream = await (await connect(caller, target)).newStream(ECHO, { signal: soon() });
  const chunk = new Uint8Array(16 * 1024);
  let sent = 0;
  const total = 8 * 1024 * 1024;
  const pump = async (): Promise<void> => {
    while (sent < total) {
      sent += chunk.byteLength;
      if (!stream.send(chunk)) await drained(stream);
    }
  };
  const pumping = pump();
  await until(() => reader !== undefined && sent > 256 * 1024, 'a window has been sent');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(received, 0);
  assert.ok(sent <= 512 * 1024, `${sent} bytes were taken from a sender whose reader stands still`);
  assert.ok((reader?.readBufferLength ?? 0) <= 256 * 1024);
  reader?.resume();
  await pumping;
  await until(() => received === total, 'all has arrived');
});

test('data flows both ways under load without a stall', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  await target.libp2p.handle(ECHO, (stream) => {
    stream.addEventListener('message', (event) => void stream.send(event.data.subarray()));
    stream.addEventListener('remoteCloseWrite', () => void stream.close());
  });
  const stream = await (await connect(caller, target)).newStream(ECHO, { signal: soon() });
  const data = randomBytes(4 * 1024 * 1024);
  let echoed = 0;
  stream.addEventListener('message', (event) => (echoed += event.data.byteLength));
  for (let at = 0; at < data.byteLength; at += 50_000) {
    if (!stream.send(data.subarray(at, at + 50_000))) await drained(stream);
  }
  await until(() => echoed === data.byteLength, 'all has come back', 30_000);
});

test('a refused CONNECT is an error with the status and the relay\'s explanation', DEADLINE, async () => {
  await using relay = await plainNode();
  const refusal = { limit: 'circuits.perTarget', current: 16, maximum: 16, retryAfterSeconds: 9, alternatives: [] };
  await relay.handle(HOP_PROTOCOL, (stream) => {
    void readFrame(stream, { signal: soon() }).then(() => {
      writeFrame(stream, encodeHop({ type: 'STATUS', status: 201, refusal }));
      return stream.close();
    });
  });
  await using caller = await testClient();
  const target = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  await assert.rejects(caller.libp2p.dial(multiaddr(`${addrOf(relay)}/p2p-circuit/p2p/${target.toString()}`), { signal: soon() }), (error: RelaydError) => {
    assert.equal(error.code, 'CONNECT_REFUSED');
    assert.match(error.message, /RESOURCE_LIMIT_EXCEEDED \(circuits\.perTarget, 16 of 16, try again in 9 s\)/);
    assert.deepEqual(error.data, { status: 201, statusName: 'RESOURCE_LIMIT_EXCEEDED', refusal, relay: relay.peerId.toString() });
    return true;
  });
  const connection = caller.libp2p.getConnections(relay.peerId)[0];
  await until(() => connection?.streams.every(({ protocol }) => protocol !== HOP_PROTOCOL) === true, 'the HOP stream is gone');
});

test('a peer that answers in the target\'s place is not taken for it', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  await using liar = await plainNode();
  const [asked, over] = [Promise.withResolvers<void>(), new AbortController()];
  await liar.handle(HOP_PROTOCOL, (stream) => {
    void (async () => {
      await readFrame(stream, { signal: soon() });
      writeFrame(stream, encodeHop({ type: 'STATUS', status: 100 }));
      stream.addEventListener('message', () => asked.resolve());
    })();
  });
  const addr = multiaddr(`${addrOf(liar)}/p2p-circuit/p2p/${target.id}`);
  const dial = assert.rejects(caller.libp2p.dial(addr, { signal: over.signal }));
  await within(asked.promise, 'the caller believes the relay, and asks who is there');
  over.abort();
  await dial;
  assert.equal(caller.libp2p.getConnections(target.libp2p.peerId).length, 0);
});

test('a circuit inside a circuit is no address for us', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const twice = multiaddr(`${circuitTo(target)}/p2p-circuit/p2p/${relay.peerId.toString()}`);
  assert.equal(await caller.libp2p.isDialable(twice), false);
  await assert.rejects(caller.libp2p.dial(twice, { signal: soon() }));
});

/** Opens STOP to a client and sends `bytes`; gives the status that comes back, or 'reset'. */
async function stop(relay: TestNode, client: TestClient, bytes: Uint8Array | Uint8Array[], options: { end?: boolean } = {}): Promise<number | undefined | 'reset'> {
  const [connection] = relay.getConnections(client.libp2p.peerId);
  const stream = await (connection ?? assert.fail('not connected')).newStream(STOP_PROTOCOL, { signal: soon() });
  [bytes].flat().forEach((part) => stream.send(part));
  if (options.end === true) await stream.close();
  try {
    return decodeStop(await readFrame(stream, { signal: soon() })).status;
  } catch {
    return 'reset';
  } finally {
    stream.abort(new Error('done'));
  }
}

function frame(message: Parameters<typeof encodeStop>[0]): Uint8Array {
  const body = encodeStop(message);
  return Buffer.concat([Buffer.from(body.byteLength < 128 ? [body.byteLength] : [0x80 | (body.byteLength & 0x7f), body.byteLength >> 7]), body]);
}

test('STOP: what is wrong is answered as the specification says, and nothing stays open', DEADLINE, async () => {
  await using relay = await stockRelay();
  const denied = await stranger();
  await using client = await reserved(relay, { gater: { denyInboundRelayedConnection: async (_relay, peer) => Buffer.from(peer.toMultihash().bytes).equals(Buffer.from(denied)) } });
  await until(() => relay.getConnections(client.libp2p.peerId).length === 1, 'connected');
  const id = await stranger();
  assert.equal(await stop(relay, client, frame({ type: 'CONNECT' })), 400, 'no peer');
  assert.equal(await stop(relay, client, frame({ type: 'CONNECT', peer: { id: Uint8Array.of(1, 2, 3), addrs: [] } })), 400, 'a peer that is none');
  assert.equal(await stop(relay, client, frame({ type: 'CONNECT', peer: { id: client.libp2p.peerId.toMultihash().bytes, addrs: [] } })), 400, 'itself');
  assert.equal(await stop(relay, client, frame({ type: 'STATUS', status: 100 })), 401, 'STATUS as a request');
  assert.equal(await stop(relay, client, frame({ type: undefined, peer: { id, addrs: [] } })), 401, 'no type');
  assert.equal(await stop(relay, client, frame({ type: 'CONNECT', peer: { id: denied, addrs: [] } })), 202, 'denied by the gater');
  assert.equal(await stop(relay, client, Uint8Array.of(0)), 400, 'an empty frame');
  assert.equal(await stop(relay, client, Uint8Array.of(5, 0xff, 0xff, 0xff, 0xff, 0xff)), 400, 'garbage');
  assert.equal(await stop(relay, client, Uint8Array.of(0x81, 0x20, 0x08)), 400, 'a frame of 4097 bytes, by its prefix alone');
  assert.equal(await stop(relay, client, new Uint8Array(10).fill(0xff)), 400, 'a length without an end');
  assert.equal(await stop(relay, client, Uint8Array.of(10, 8), { end: true }), 'reset', 'an end inside a frame');
  assert.equal(await stop(relay, client, new Uint8Array(), { end: true }), 'reset', 'an end before anything');
  assert.equal(await stop(relay, client, frame({ type: 'CONNECT', peer: { id, addrs: [Uint8Array.of(9, 9, 9)] } })), 100, 'addresses are not looked at');
  await until(() => client.libp2p.getConnections(relay.peerId)[0]?.streams.every(({ protocol }) => protocol !== STOP_PROTOCOL) === true, 'all STOP streams are gone');
  const count = async (outcome: string): Promise<number | undefined> => await metric(client.registry, `relayd_client_stop_requests_total{outcome="${outcome}"}`);
  assert.deepEqual([await count('ok'), await count('malformed'), await count('unexpected'), await count('denied'), await count('error')], [1, 7, 2, 1, 2]);
});

/** A relay in a few lines, which says of limits what it is told to. */
async function miniRelay(limit: Limit | undefined): Promise<TestNode> {
  const relay = await plainNode();
  const serve = async (stream: Stream): Promise<void> => {
    const request = decodeHop(await readFrame(stream, { signal: soon() }));
    if (request.type === 'RESERVE') {
      writeFrame(stream, encodeHop({ type: 'STATUS', status: 100, reservation: { expire: Math.round(Date.now() / 1000) + 600, addrs: [] } }));
      return await stream.close();
    }
    const target = relay.getConnections().find(({ remotePeer }) => Buffer.from(remotePeer.toMultihash().bytes).equals(request.peer?.id ?? Buffer.of()));
    const source = relay.getConnections().find(({ streams }) => streams.includes(stream)) ?? assert.fail();
    const out = await (target ?? assert.fail()).newStream(STOP_PROTOCOL, { signal: soon() });
    writeFrame(out, encodeStop({ type: 'CONNECT', peer: { id: source.remotePeer.toMultihash().bytes, addrs: [] }, limit }));
    assert.equal(decodeStop(await readFrame(out, { signal: soon() })).status, 100);
    writeFrame(stream, encodeHop({ type: 'STATUS', status: 100, limit }));
    const pass = (to: Stream) => (event: { data: Uint8Array | Uint8ArrayList }): void => void (to.writeStatus === 'writable' && to.send(event.data));
    stream.addEventListener('message', pass(out));
    out.addEventListener('message', pass(stream));
  };
  await relay.handle(HOP_PROTOCOL, (stream) => void serve(stream).catch((error: unknown) => stream.abort(error as Error)));
  return relay;
}

test('a limit of 0 is no limit, and no limit is no limits object, at both ends', DEADLINE, async () => {
  for (const [given, shown] of [[{ durationSeconds: 0, dataBytes: 0 }, undefined], [undefined, undefined], [{ durationSeconds: 60 }, { seconds: 60 }]] as const) {
    await using relay = await miniRelay(given);
    await using target = await reserved(relay);
    await using caller = await testClient();
    const connection = await connect(caller, target);
    const incoming = await incomingFrom(caller, target);
    assert.deepEqual([connection.limits, incoming.limits], [shown, shown]);
  }
});

test('STOP is refused over a circuit, limited or not', DEADLINE, async () => {
  await using limited = await stockRelay({ reservations: { applyDefaultLimit: true } });
  await using unlimited = await stockRelay();
  await using caller = await testClient();
  for (const relay of [limited, unlimited]) {
    await using target = await reserved(relay);
    const connection = await connect(caller, target);
    const stream = await connection.newStream(STOP_PROTOCOL, { signal: soon(), runOnLimitedConnection: true });
    const answer = await readFrame(stream, { signal: soon() }).then((body) => decodeStop(body).status, () => 'reset');
    assert.equal(answer, relay === limited ? 'reset' : 202);
  }
});

test('STOP: a request that does not come is not waited for longer than ten seconds', DEADLINE, async () => {
  const clock = new ManualClock();
  await using relay = await stockRelay();
  await using client = await reserved(relay, { transportClock: clock });
  const [connection] = relay.getConnections(client.libp2p.peerId);
  const stream = await (connection ?? assert.fail()).newStream(STOP_PROTOCOL, { signal: soon() });
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve));
  stream.send(Uint8Array.of(20, 8, 0));
  await until(() => clock.pending === 1, 'the deadline runs');
  clock.advance(9_999);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(stream.status, 'open');
  clock.advance(1);
  await closed;
  assert.equal(clock.pending, 0);
});

test('more circuits run over one relay connection than libp2p\'s default of 32', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using one = await testClient();
  await using two = await testClient();
  // The library's relay itself takes no more than 32 from one caller.
  for (const caller of [one, two]) {
    for (let i = 0; i < 20; i++) await caller.libp2p.dial(multiaddr(circuitTo(target)), { signal: soon(), force: true });
  }
  await until(() => target.libp2p.getConnections().filter(({ direct }) => !direct).length === 40, 'all 40 are open');
});

test('bytes sent right behind the relay\'s answer are not lost', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved(relay);
  await using caller = await testClient();
  const [connection] = relay.getConnections(target.libp2p.peerId);
  const stream = await (connection ?? assert.fail()).newStream(STOP_PROTOCOL, { signal: soon() });
  // multistream-select's header, which opens every security negotiation, in one piece with the request.
  const header = Buffer.from('\x13/multistream/1.0.0\n');
  stream.send(Buffer.concat([frame({ type: 'CONNECT', peer: { id: caller.libp2p.peerId.toMultihash().bytes, addrs: [] } }), header]));
  assert.equal(decodeStop(await readFrame(stream, { signal: soon() })).status, 100);
  const [event] = (await once(stream as unknown as EventTarget, 'message')) as [{ data: { subarray(): Uint8Array } }];
  assert.deepEqual(Buffer.from(event.data.subarray()), header);
  stream.abort(new Error('done'));
});
