import type { Stream } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { StreamConnection } from '../../../src/client/stream-connection.ts';
import { drained, until } from './support.ts';

const DEADLINE = { timeout: 20_000 };
const CIRCUIT = multiaddr('/ip4/127.0.0.1/tcp/1/p2p/12D3KooWRYhWzj3kPYjgyYfp8pE6SqgVmFJXHxhr3JLyTvxyVYyp/p2p-circuit');
const WINDOW = 256 * 1024;

interface Rig {
  connection: StreamConnection;
  /** The other end of the stream under it. */
  remote: Stream;
  /** The stream under it. */
  local: Stream;
  kill: () => void;
}

async function rig(): Promise<Rig> {
  const factory = yamux({ enableKeepAlive: false, streamOptions: { initialStreamWindowSize: WINDOW, maxStreamWindowSize: WINDOW } })();
  const [outbound, inbound] = multiaddrConnectionPair();
  const [client, server] = [factory.createStreamMuxer(outbound), factory.createStreamMuxer(inbound)];
  const opened = new Promise<Stream>((resolve) => server.addEventListener('stream', (event) => resolve(event.detail), { once: true }));
  const local = await client.createStream();
  const remote = await opened;
  const connection = new StreamConnection({ stream: local, remoteAddr: CIRCUIT, log: local.log });
  return { connection, local, remote, kill: () => outbound.abort(new Error('killed')) };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends all of `data` in pieces, waiting where it is told to; counts what was taken. */
async function pump(stream: Parameters<typeof drained>[0] & Pick<Stream, 'send'>, data: Uint8Array, taken: { bytes: number }): Promise<void> {
  for (let at = 0; at < data.byteLength; at += 10_000) {
    const piece = data.subarray(at, at + 10_000);
    taken.bytes += piece.byteLength;
    if (!stream.send(piece)) await drained(stream);
  }
}

test('a paused reader holds the sender, and gets everything in order after it goes on', DEADLINE, async () => {
  const { connection, remote } = await rig();
  const data = randomBytes(3_000_000);
  const got: Uint8Array[] = [];
  const all = new Promise<void>((resolve) => {
    connection.addEventListener('message', (event) => {
      got.push(event.data.subarray());
      if (got.reduce((sum, part) => sum + part.byteLength, 0) === data.byteLength) resolve();
    });
  });
  connection.pause();
  const taken = { bytes: 0 };
  const pumping = pump(remote, data, taken);
  await pause(200);
  assert.equal(got.length, 0);
  assert.ok(taken.bytes <= 2 * WINDOW, `${taken.bytes} taken`);
  assert.ok(connection.readBufferLength <= WINDOW);
  connection.resume();
  await pumping;
  await all;
  assert.deepEqual(Buffer.concat(got), data);
});

test('a reader that pauses again inside every delivery does not get stuck', DEADLINE, async () => {
  const { connection, remote } = await rig();
  const data = randomBytes(2_000_000);
  let received = 0;
  connection.addEventListener('message', (event) => {
    received += event.data.byteLength;
    connection.pause();
    setTimeout(() => connection.resume(), 1);
  });
  await pump(remote, data, { bytes: 0 });
  await until(() => received >= data.byteLength, 'all of it');
  assert.equal(received, data.byteLength);
});

test('a writer is told when the window is used up, and when it may go on', DEADLINE, async () => {
  const { connection, remote } = await rig();
  remote.pause();
  const data = randomBytes(2_000_000);
  const taken = { bytes: 0 };
  const pumping = pump(connection, data, taken);
  await pause(200);
  assert.ok(taken.bytes <= 2 * WINDOW, `${taken.bytes} taken`);
  let received = 0;
  remote.addEventListener('message', (event) => (received += event.data.byteLength));
  remote.resume();
  await pumping;
  await until(() => received >= data.byteLength, 'all of it');
  assert.equal(received, data.byteLength);
});

test('the end of the other side is passed on, what we still send flows, and then all is closed', DEADLINE, async () => {
  const { connection, remote, local } = await rig();
  const got: Uint8Array[] = [];
  remote.addEventListener('message', (event) => void got.push(event.data.subarray()));
  const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
  connection.addEventListener('remoteCloseWrite', () => void connection.send(Buffer.from('a last word')));
  await remote.close();
  await closed;
  await until(() => [connection, local, remote].every(({ status }) => status === 'closed'), 'all to be closed');
  assert.equal(Buffer.concat(got).toString(), 'a last word');
});

test('closing sends what is queued first, and ends the stream', DEADLINE, async () => {
  const { connection, remote, local } = await rig();
  let received = 0;
  remote.addEventListener('message', (event) => (received += event.data.byteLength));
  remote.addEventListener('remoteCloseWrite', () => void remote.close());
  connection.send(randomBytes(1_000_000));
  await connection.close();
  await until(() => [connection, local].every(({ status }) => status === 'closed'), 'both to be closed');
  await until(() => received >= 1_000_000, 'all of it');
  assert.equal(received, 1_000_000);
});

test('a stream that the other side does not end is reset after the linger time', DEADLINE, async () => {
  const { connection, remote, local } = await rig();
  remote.addEventListener('message', () => {});
  await connection.close();
  assert.equal(connection.status, 'closed');
  assert.equal(local.status, 'open');
  await new Promise((resolve) => local.addEventListener('close', resolve));
  assert.equal(local.status, 'aborted');
});

test('a reset, an abort and a dead connection underneath close it at once', DEADLINE, async () => {
  const reset = await rig();
  reset.remote.abort(new Error('reset'));
  await until(() => reset.connection.status === 'reset', 'the reset');

  const aborted = await rig();
  aborted.connection.abort(new Error('abort'));
  await until(() => aborted.remote.status === 'reset', 'the abort');

  const killed = await rig();
  killed.kill();
  assert.equal(killed.connection.status, 'closed');
});

test('sending when the stream is gone aborts the connection and throws nowhere', DEADLINE, async () => {
  const { connection, local } = await rig();
  await local.close();
  assert.equal(connection.send(Buffer.from('x')), false);
  await until(() => connection.status === 'aborted', 'the abort');
});
