import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { YamuxReader } from '../../../src/transport/native/yamux-reader.ts';
import type { FrameUser } from '../../../src/transport/native/yamux-reader.ts';
import { writeHeader } from '../../../src/transport/native/yamux-frame.ts';
import { cut, DATA, encodeFrame, FrameParser, joinFrames } from './frames.ts';
import type { Frame } from './frames.ts';

/** Frames as the reader tells of them, put together again. */
class Told implements FrameUser {
  readonly frames: Frame[] = [];
  #body: Buffer[] = [];
  #open = false;

  frame(type: number, flags: number, id: number, length: number): void {
    assert.equal(this.#open, false, 'no header within a body');
    this.frames.push({ type, flags, id, length, body: new Uint8Array(0) });
    this.#open = type === DATA;
    this.#body = [];
  }

  body(chunk: Buffer, start: number, end: number): void {
    assert.ok(this.#open && end > start);
    this.#body.push(Buffer.from(chunk.subarray(start, end)));
  }

  bodyEnd(): void {
    const frame = this.frames.at(-1) as Frame;
    frame.body = new Uint8Array(Buffer.concat(this.#body));
    assert.equal(frame.body.length, frame.length);
    this.#open = false;
  }
}

function read(pieces: readonly Uint8Array[]): Frame[] {
  const told = new Told();
  const reader = new YamuxReader(told);
  // The bytes lie in the middle of other memory, which is overwritten behind the reader's back.
  const memory = Buffer.alloc(Math.max(1, ...pieces.map((piece) => piece.length)) + 20);
  pieces.forEach((piece, i) => {
    const start = i % 7;
    memory.set(piece, start);
    reader.read(memory, start, start + piece.length);
    memory.fill(0xee);
  });
  return told.frames;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const dataFrame = fc.record({ type: fc.constant(DATA), flags: fc.nat({ max: 0xffff }), id: u32, body: fc.uint8Array({ maxLength: 60 }) });
const otherFrame = fc.record({ type: fc.integer({ min: 1, max: 255 }), flags: fc.nat({ max: 0xffff }), id: u32, length: u32 });
const frames = fc.array(fc.oneof(dataFrame, otherFrame), { maxLength: 12 });

describe('YamuxReader', () => {
  it('finds the same frames however the bytes are divided', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (list, lengths) => {
        const bytes = joinFrames(list);
        const expected = new FrameParser().add(bytes);
        assert.deepEqual(read(cut(bytes, lengths)), expected);
        assert.deepEqual(read([bytes]), expected, 'whole');
        assert.deepEqual(read(cut(bytes, [1])), expected, 'byte by byte');
      }),
      { numRuns: 300 },
    );
  });

  it('divides a header and a body at every place', () => {
    const bytes = joinFrames([{ type: DATA, flags: 3, id: 7, body: Uint8Array.of(1, 2, 3, 4, 5) }, { type: 2, flags: 1, length: 9 }, { type: DATA, id: 9 }]);
    const expected = new FrameParser().add(bytes);
    for (let at = 1; at < bytes.length; at++) {
      assert.deepEqual(read([bytes.subarray(0, at), bytes.subarray(at)]), expected, `at ${at}`);
    }
  });

  it('passes a body on as it comes, without waiting for the rest', () => {
    const told: number[] = [];
    const reader = new YamuxReader({ frame: () => undefined, body: (_chunk, start, end) => told.push(end - start), bodyEnd: () => told.push(-1) });
    const bytes = Buffer.from(encodeFrame({ type: DATA, id: 1, length: 0xffff_ffff }));
    reader.read(bytes, 0, 12);
    assert.deepEqual(told, []);
    reader.read(Buffer.alloc(100), 0, 100);
    assert.deepEqual(told, [100]);
  });

  it('refuses another version, in one piece or two', () => {
    const bytes = Buffer.from(encodeFrame({ type: 2, version: 1 }));
    const told: FrameUser = { frame: () => assert.fail('not a frame'), body: () => undefined, bodyEnd: () => undefined };
    assert.throws(() => new YamuxReader(told).read(bytes, 0, 12), /unknown version/);
    const reader = new YamuxReader(told);
    reader.read(bytes, 0, 5);
    assert.throws(() => reader.read(bytes, 5, 12), /unknown version/);
  });
});

describe('a yamux header', () => {
  it('is written as the specification says', () => {
    fc.assert(
      fc.property(fc.nat({ max: 3 }), fc.nat({ max: 15 }), u32, u32, (type, flags, id, length) => {
        const bytes = Buffer.alloc(20, 0xaa);
        writeHeader(bytes, 4, type, flags, id, length);
        assert.deepEqual(new Uint8Array(bytes.subarray(4, 16)), encodeFrame({ type, flags, id, length }));
        assert.deepEqual([bytes[3], bytes[16]], [0xaa, 0xaa]);
      }),
    );
  });
});
