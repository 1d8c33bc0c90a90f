import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { isRawStream } from '../../../src/lib/raw-stream.ts';
import { KeepAlive } from '../../../src/transport/native/keep-alive.ts';
import { nativeYamux } from '../../../src/transport/native/yamux-muxer.ts';
import { patternBytes } from '../../support/bytes.ts';
import { seededRandom } from '../../support/random.ts';
import { until, within } from '../../support/waiting.ts';
import { blocksHeld } from './link-rig.ts';

type Kind = 'native' | 'stock';

const WINDOW_BYTES = 1024 * 1024;

function factory(kind: Kind, keepAlive: KeepAlive): StreamMuxerFactory {
  const limits = { maxInboundStreams: 1000, maxOutboundStreams: 1000 };
  if (kind === 'native') return nativeYamux({ ...limits, maxWindowBytes: WINDOW_BYTES, keepAlive })();
  return yamux({ ...limits, enableKeepAlive: false, streamOptions: { maxStreamWindowSize: WINDOW_BYTES } })();
}

/** One half of a stream: what was sent on it, and what came. */
interface Half {
  sent: string;
  got: string;
  reset: boolean;
}

const STREAMS = 24;

describe('yamux of ours and the library\'s', () => {
  for (const [client, server] of [['native', 'stock'], ['stock', 'native'], ['native', 'native']] as [Kind, Kind][]) {
    for (const seed of [1, 2, 3]) {
      it(`carries random traffic both ways, ${client} client and ${server} server, seed ${seed}, and nothing is left`, { timeout: 60_000 }, async () => {
        const held = await blocksHeld();
        const random = seededRandom(seed * 1000);
        const [near, far] = multiaddrConnectionPair({ capacity: 50, outbound: { direction: 'outbound' }, inbound: { direction: 'inbound' } });
        const keepAlive = new KeepAlive(new ManualClock());
        const [a, b] = [factory(client, keepAlive).createStreamMuxer(near), factory(server, keepAlive).createStreamMuxer(far)];
        const halves = new Map<string, { opened: Half; accepted: Half }>();
        // Ids are the same on both sides; either may see the stream first.
        const halvesOf = (stream: Stream): { opened: Half; accepted: Half } => {
          const pair = halves.get(stream.id) ?? { opened: newHalf(), accepted: newHalf() };
          halves.set(stream.id, pair);
          return pair;
        };
        const work: Promise<void>[] = [];
        for (const muxer of [a, b]) {
          muxer.addEventListener('stream', ({ detail }) => {
            work.push(converse(detail, halvesOf(detail).accepted, random));
          });
        }
        for (let i = 0; i < STREAMS; i++) {
          const stream = await (random() < 0.5 ? a : b).createStream();
          work.push(converse(stream, halvesOf(stream).opened, random));
          if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
        }
        await within(until(() => work.length === 2 * STREAMS, 'both sides of each stream', 20_000), 'the streams', 20_000);
        await within(Promise.all(work), 'the traffic', 30_000);
        const whole = [...halves.values()].filter(({ opened, accepted }) => !opened.reset && !accepted.reset);
        assert.ok(whole.length > STREAMS / 3, `${whole.length} streams were not reset`);
        whole.forEach(({ opened, accepted }) => assert.deepEqual([accepted.got, opened.got], [opened.sent, accepted.sent]));
        await until(() => a.streams.length + b.streams.length === 0, 'the streams to be forgotten');
        assert.equal(await blocksHeld(), held, 'bytes are held though no stream is open');
        await Promise.all([a.close(), b.close()]);
        await Promise.all([near.close(), far.close()]);
        assert.equal(keepAlive.count, 0);
        assert.equal(await blocksHeld(), held);
        checkOver(a);
        checkOver(b);
      });
    }
  }
});

function checkOver(muxer: StreamMuxer): void {
  assert.deepEqual([muxer.status, muxer.streams.length], ['closed', 0]);
}

const newHalf = (): Half => ({ sent: '', got: '', reset: false });

/** Sends random pieces with random pauses, reads with random pauses, and sometimes resets. */
async function converse(stream: Stream, half: Half, random: () => number): Promise<void> {
  const total = Math.floor(random() ** 2 * 1_500_000);
  const resetAfter = random() < 0.15 ? random() * total : Infinity;
  const raw = random() < 0.4;
  await Promise.all([write(stream, half, total, resetAfter, random), raw && isRawStream(stream) ? readRaw(stream, half, random) : read(stream, half, random)]);
}

async function write(stream: Stream, half: Half, total: number, resetAfter: number, random: () => number): Promise<void> {
  const hash = createHash('sha256');
  const bytes = patternBytes(total, Math.floor(random() * 1e6));
  try {
    for (let at = 0; at < total; ) {
      const piece = bytes.subarray(at, at + 1 + Math.floor(random() ** 3 * 200_000));
      at += piece.length;
      hash.update(piece);
      if (at > resetAfter) {
        half.reset = true;
        stream.abort(new Error('reset by the test'));
        return;
      }
      if (!stream.send(piece)) await stream.onDrain({ signal: AbortSignal.timeout(20_000) });
      if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
    await stream.close({ signal: AbortSignal.timeout(20_000) });
    half.sent = hash.digest('hex');
  } catch (error) {
    assert.notEqual(stream.status, 'open', String(error));
    half.reset = true;
  }
}

async function read(stream: Stream, half: Half, random: () => number): Promise<void> {
  const hash = createHash('sha256');
  stream.addEventListener('message', (event) => {
    hash.update(event.data.subarray());
    if (random() < 0.05 && stream.status === 'open' && stream.readStatus === 'readable') {
      stream.pause();
      setTimeout(() => {
        if (stream.readStatus === 'paused') stream.resume();
      }, random() * 5);
    }
  });
  await over(stream, half);
  half.got = hash.digest('hex');
}

async function readRaw(stream: Stream, half: Half, random: () => number): Promise<void> {
  assert.ok(isRawStream(stream));
  const hash = createHash('sha256');
  const take = (chunk: Uint8Array, start: number, end: number): void => {
    hash.update(chunk.subarray(start, end));
    if (random() < 0.1) setTimeout(() => stream.taken(end - start), random() * 5);
    else stream.taken(end - start);
  };
  stream.readRaw({ take, ended: () => undefined }, 512 * 1024);
  await over(stream, half);
  half.got = hash.digest('hex');
}

/** Until all has come that will come. */
async function over(stream: Stream, half: Half): Promise<void> {
  await within(
    until(() => stream.status !== 'open' || (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0), 'the end of a stream', 30_000),
    'the end of a stream',
    30_000,
  );
  if (stream.status === 'aborted' || stream.status === 'reset') half.reset = true;
  if (stream.readStatus === 'paused') stream.resume();
}
