import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Logger } from '@libp2p/interface';
import { AbstractStream } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { HOLD_BYTES, MAX_HELD_BYTES } from '../../../src/tunnel/limits.ts';
import { carry } from '../../../src/tunnel/pipe.ts';

const quiet: Logger = Object.assign(() => {}, { error: () => {}, trace: () => {}, enabled: false, newScope: () => quiet });

/** A stream whose other end is the test: it takes `room` bytes, and remembers what it was told. */
class FakeStream extends AbstractStream {
  room = Infinity;
  sent: Buffer[] = [];
  credit: ('hold' | 'give')[] = [];
  finSent = false;
  resetSent = false;

  constructor() {
    super({ id: '1', log: quiet, direction: 'inbound' });
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const bytes = Math.min(this.room, data.byteLength);
    this.room -= bytes;
    this.sent.push(Buffer.from(data.subarray(0, bytes)));
    return { sentBytes: bytes, canSendMore: bytes === data.byteLength };
  }

  override sendReset(): void {
    this.resetSent = true;
  }

  override sendPause(): void {
    this.credit.push('hold');
  }

  override sendResume(): void {
    this.credit.push('give');
  }

  override async sendCloseWrite(): Promise<void> {
    this.finSent = true;
  }

  override async sendCloseRead(): Promise<void> {}

  /** The far side took everything. */
  drain(): void {
    this.room = Infinity;
    this.onMuxerDrain();
  }

  text(): string {
    return Buffer.concat(this.sent).toString();
  }
}

describe('carry', { timeout: 30_000 }, () => {
  let server: Server;
  const sockets: Socket[] = [];

  before(async () => {
    server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
    await once(server, 'close');
  });

  async function start(prepare: (stream: FakeStream) => void = () => {}): Promise<{ app: Socket; stream: FakeStream; done: Promise<void>; stop: AbortController; counts: { sent: number; received: number } }> {
    const app = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    const [[socket]] = (await Promise.all([once(server, 'connection'), once(app, 'connect')])) as [[Socket], unknown];
    sockets.push(app, socket);
    app.on('error', () => {});
    const stream = new FakeStream();
    const stop = new AbortController();
    const counts = { sent: 0, received: 0 };
    prepare(stream);
    const done = carry({ socket, stream, signal: stop.signal, onSent: (n) => (counts.sent += n), onReceived: (n) => (counts.received += n) });
    done.catch(() => {});
    return { app, stream, done, stop, counts };
  }

  async function readAll(app: Socket): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of app) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  const resetCode = async (app: Socket): Promise<unknown> => ((await once(app.resume(), 'error')) as [NodeJS.ErrnoException])[0].code;

  it('ends each direction by itself, and is done when both have', async () => {
    const { app, stream, done, counts } = await start();
    app.end('question');
    await once(stream, 'idle');
    stream.onData(Buffer.from('ans'));
    stream.onData(Buffer.from('wer'));
    stream.onRemoteCloseWrite();
    assert.equal(await readAll(app), 'answer');
    await done;
    assert.equal(stream.text(), 'question');
    assert.ok(stream.finSent && !stream.resetSent);
    assert.deepEqual(counts, { sent: 8, received: 6 });
  });

  it('delivers data that comes in the same frame as the end', async () => {
    const { app, stream, stop } = await start();
    // The order in which yamux processes such a frame.
    stream.onRemoteCloseWrite();
    stream.onData(Buffer.from('last words'));
    assert.equal(await readAll(app), 'last words');
    stop.abort(new Error('over'));
  });

  it('delivers what came before it was attached, the end included', async () => {
    const { app, stop } = await start((stream) => {
      stream.onData(Buffer.from('early'));
      stream.onRemoteCloseWrite();
    });
    assert.equal(await readAll(app), 'early');
    stop.abort(new Error('over'));
  });

  it('does not take the end of the connection for the end of the data', async () => {
    const { app, stream, done } = await start();
    const code = resetCode(app);
    stream.onData(Buffer.from('some of it'));
    stream.onTransportClosed();
    await assert.rejects(done, { code: 'CLOSED' });
    assert.equal(await code, 'ECONNRESET');
  });

  it('does not take it for that either when the socket has already ended its own direction', async () => {
    const { app, stream, done } = await start();
    app.end('question');
    while (!stream.finSent) await new Promise((resolve) => setImmediate(resolve));
    const code = resetCode(app);
    stream.onData(Buffer.from('some of the ans'));
    stream.onTransportClosed();
    await assert.rejects(done, { code: 'CLOSED' });
    assert.equal(await code, 'ECONNRESET');
  });

  it('takes a close by anyone else for a reset', async () => {
    const { app, stream, done } = await start();
    const code = resetCode(app);
    await stream.close();
    await assert.rejects(done, { code: 'CLOSED' });
    assert.ok(stream.resetSent && !stream.finSent);
    assert.equal(await code, 'ECONNRESET');
  });

  it('resets at once when the stream was already gone', async () => {
    const { app, done } = await start((stream) => stream.onRemoteReset());
    await assert.rejects(done);
    assert.equal(await resetCode(app), 'ECONNRESET');
  });

  it('stops reading the socket while the stream is full', async () => {
    const { app, stream, done, stop, counts } = await start((made) => (made.room = 100_000));
    const total = 32 * 1024 * 1024;
    app.write(Buffer.alloc(total, 'x'));
    app.end();
    await once(stream, 'idle').catch(() => {});
    while (!stream.writableNeedsDrain) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 50; i++) {
      // A muxer signals room that the stream's own window does not have.
      stream.onMuxerDrain();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(counts.sent < 400_000, `${counts.sent} bytes taken from the socket for a stream that has room for 100000`);
    assert.ok(stream.writeBufferLength < 300_000);
    stream.drain();
    while (!stream.finSent) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stream.text().length, total);
    stop.abort(new Error('over'));
    await assert.rejects(done, /over/);
  });

  it('holds the credit of the stream while the socket stands still, and gives it back', async () => {
    const { app, stream, done } = await start();
    const chunk = Buffer.alloc(64 * 1024, 'y');
    let pushed = 0;
    for (; stream.credit.at(-1) !== 'hold'; pushed += chunk.byteLength) {
      stream.onData(Buffer.from(chunk));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(pushed > HOLD_BYTES);
    const rest = readAll(app);
    while (stream.credit.at(-1) !== 'give') await new Promise((resolve) => setImmediate(resolve));
    stream.onRemoteCloseWrite();
    app.end();
    assert.equal((await rest).length, pushed);
    await done;
  });

  it('resets rather than hold more than the bound for a sender without a window', async () => {
    const { app, stream, done } = await start();
    let pushed = 0;
    for (; stream.status === 'open'; pushed += 1024 * 1024) stream.onData(Buffer.alloc(1024 * 1024));
    await assert.rejects(done, { code: 'CLOSED' });
    assert.ok(pushed < MAX_HELD_BYTES + 64 * 1024 * 1024);
    app.destroy();
  });
});
