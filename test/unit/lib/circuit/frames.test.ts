import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { streamPair } from '@libp2p/utils';
import { readFrame, writeFrame } from '../../../../src/lib/circuit/frames.ts';
import { MAX_FRAME_BYTES } from '../../../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { concat, encodeVarint } from '../../../../src/lib/protobuf.ts';
import { readExactly } from '../../../../src/lib/read-stream.ts';
import { ByteReader } from '../../../support/byte-reader.ts';
import { patternBytes } from '../../../support/bytes.ts';
import { settled, within } from '../../../support/waiting.ts';

const frame = (body: Uint8Array): Uint8Array => concat([encodeVarint(body.byteLength), body]);
const coded = (code: string) => (error: unknown): boolean => error instanceof RelaydError && error.code === code;
const read = (stream: Stream, maxBytes?: number): Promise<Uint8Array> => within(readFrame(stream, { signal: AbortSignal.timeout(5_000), ...(maxBytes === undefined ? {} : { maxBytes }) }), 'a frame');

/** Listeners that reading a frame adds, of each kind, on a stream and on a signal. */
const LISTENED = ['message', 'close', 'remoteCloseWrite', 'drain', 'idle', 'end'] as const;
const listeners = (stream: Stream): number[] => LISTENED.map((type) => (stream as Stream & { listenerCount(type: string): number }).listenerCount(type));

describe('readFrame', () => {
  it('puts a frame together wherever it was split, and gives back what came behind it', async () => {
    const body = patternBytes(200);
    const sent = concat([frame(body), patternBytes(10, 2)]);
    for (let cut = 1; cut < sent.byteLength; cut++) {
      const [from, to] = await streamPair({ delay: 0 });
      const reading = read(to);
      from.send(sent.subarray(0, cut));
      await settled(1);
      from.send(sent.subarray(cut));
      assert.deepEqual(await reading, body, `cut at ${cut}`);
      assert.deepEqual(await readExactly(to, 10, AbortSignal.timeout(5_000)), patternBytes(10, 2), `cut at ${cut}`);
    }
  });

  it('reads several frames of one chunk one after the other', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    const bodies = [patternBytes(1), patternBytes(127, 2), patternBytes(128, 3), patternBytes(MAX_FRAME_BYTES, 4)];
    from.send(concat([...bodies.map(frame), Uint8Array.of(1, 2, 3)]));
    for (const body of bodies) assert.deepEqual(await read(to), body);
    const rest = new ByteReader(to);
    assert.deepEqual(await rest.has(3), Uint8Array.of(1, 2, 3));
  });

  it('reads a frame that comes byte by byte', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    const reading = read(to);
    for (const byte of frame(patternBytes(300))) from.send(Uint8Array.of(byte));
    assert.deepEqual(await reading, patternBytes(300));
  });

  it('refuses a frame that is too long as soon as its length is there', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    from.send(encodeVarint(MAX_FRAME_BYTES + 1));
    await assert.rejects(read(to), coded('MALFORMED_MESSAGE'));
    const [from2, to2] = await streamPair({ delay: 0 });
    from2.send(frame(new Uint8Array(MAX_FRAME_BYTES)));
    assert.equal((await read(to2)).byteLength, MAX_FRAME_BYTES);
    const [from3, to3] = await streamPair({ delay: 0 });
    from3.send(encodeVarint(11));
    await assert.rejects(read(to3, 10), coded('MALFORMED_MESSAGE'));
  });

  it('refuses an empty frame and a length that does not end', async () => {
    for (const bytes of [[0], [0x80, 0x00], [0xff, 0xff, 0xff, 0xff], Array<number>(100).fill(0x80)]) {
      const [from, to] = await streamPair({ delay: 0 });
      from.send(Uint8Array.from(bytes));
      await assert.rejects(read(to), coded('MALFORMED_MESSAGE'), String(bytes));
    }
  });

  it('says so when the stream ends first, before or after the call, with or without a part of the frame', async () => {
    for (const part of [new Uint8Array(), frame(patternBytes(100)).subarray(0, 50)]) {
      for (const ending of [(stream: Stream) => stream.close(), async (stream: Stream) => stream.abort(new Error('reset'))]) {
        const [from, to] = await streamPair({ delay: 0 });
        const reading = assert.rejects(read(to), coded('UNEXPECTED_END'));
        if (part.byteLength > 0) from.send(part);
        await ending(from);
        await reading;
        const [from2, to2] = await streamPair({ delay: 0 });
        if (part.byteLength > 0) from2.send(part);
        await ending(from2);
        await settled();
        await assert.rejects(read(to2), coded('UNEXPECTED_END'));
      }
    }
  });

  it('reads a frame that was whole before the stream ended', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    from.send(frame(patternBytes(100)));
    await from.close();
    await settled();
    assert.deepEqual(await read(to), patternBytes(100));
    await assert.rejects(read(to), coded('UNEXPECTED_END'));
  });

  it('keeps the bytes behind the frame when the stream has already ended', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    from.send(concat([frame(patternBytes(100)), patternBytes(50, 2)]));
    await from.close();
    await settled();
    assert.deepEqual(await read(to), patternBytes(100));
    const rest = new ByteReader(to);
    await settled();
    assert.deepEqual(rest.bytes, patternBytes(50, 2));
  });

  it('stops at the deadline, with the signal\'s reason', async () => {
    const [, to] = await streamPair({ delay: 0 });
    const reason = new Error('too late');
    await assert.rejects(readFrame(to, { signal: AbortSignal.abort(reason) }), reason);
    const deadline = new AbortController();
    const reading = assert.rejects(readFrame(to, { signal: deadline.signal }), reason);
    deadline.abort(reason);
    await reading;
  });

  it('leaves no listener behind, however it ends', async () => {
    const endings: ((from: Stream, stop: AbortController) => unknown)[] = [
      (from) => from.send(frame(patternBytes(3))),
      (from) => from.send(Uint8Array.of(0)),
      (from) => from.close(),
      (from) => from.abort(new Error('reset')),
      (_from, stop) => stop.abort(new Error('too late')),
    ];
    for (const ending of endings) {
      const [from, to] = await streamPair({ delay: 0 });
      const before = listeners(to);
      const stop = new AbortController();
      const reading = readFrame(to, { signal: stop.signal }).catch(() => {});
      await ending(from, stop);
      await within(reading, 'an end');
      assert.deepEqual(listeners(to), before, String(ending));
    }
  });
});

describe('writeFrame', () => {
  it('puts the length in front, in as many bytes as it takes', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    const all = new ByteReader(to);
    for (const length of [1, 127, 128, 4096]) writeFrame(from, patternBytes(length));
    const expected = concat([1, 127, 128, 4096].map((length) => frame(patternBytes(length))));
    assert.deepEqual(await all.has(expected.byteLength), expected);
  });

  it('throws when the stream is closed for writing', async () => {
    const [from] = await streamPair({ delay: 0 });
    from.abort(new Error('gone'));
    assert.throws(() => writeFrame(from, Uint8Array.of(1)));
  });
});
