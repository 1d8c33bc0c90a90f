import * as fc from 'fast-check';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FrameError, FrameReader, headerOf, MAX_FRAME_BYTES, MAX_HEADER_BYTES, Opcode, writeHeader } from '../../../src/transport/websocket/frames.ts';
import { mask } from '../../../src/transport/websocket/mask.ts';
import { patternBytes } from '../../support/bytes.ts';

interface Heard {
  data: Buffer;
  pings: Buffer[];
  closes: Buffer[];
}

/** What a reader makes of `pieces`. */
function read(pieces: readonly Buffer[], expectsMask = false): Heard {
  const data: Buffer[] = [];
  const heard = { pings: [] as Buffer[], closes: [] as Buffer[] };
  const reader = new FrameReader(expectsMask, {
    data: (chunk, start, end) => data.push(Buffer.from(chunk.subarray(start, end))),
    ping: (payload) => heard.pings.push(payload),
    close: (payload) => heard.closes.push(payload),
  });
  pieces.forEach((piece) => reader.read(Buffer.from(piece), 0, piece.length));
  return { data: Buffer.concat(data), ...heard };
}

function frame(opcode: number, payload: Uint8Array, key?: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(MAX_HEADER_BYTES), payload]);
  return bytes.subarray(writeHeader(bytes, MAX_HEADER_BYTES, opcode, key));
}

/** As a peer writes it that cuts a message in pieces: not final, or a continuation. */
function pieceOf(opcode: number, isFinal: boolean, payload: Uint8Array): Buffer {
  const bytes = frame(opcode, payload);
  bytes[0] = opcode | (isFinal ? 0x80 : 0);
  return bytes;
}

/** `bytes` cut at each of `cuts`, as TCP may deliver it. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const payload = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_001).map((length) => patternBytes(length, length)));
const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const cuts = fc.array(fc.nat(), { maxLength: 12 });

describe('WebSocket frames', () => {
  it('are the same whether the payload is in one piece or in several', () => {
    fc.assert(
      fc.property(payload, fc.option(key, { nil: undefined }), cuts, (bytes, maskKey, places) => {
        const pieces = cut(Buffer.from(bytes), places).map((piece) => Buffer.from(piece));
        const header = headerOf(pieces, Opcode.BINARY, maskKey);
        assert.deepEqual(Buffer.concat([header, ...pieces]), frame(Opcode.BINARY, bytes, maskKey));
      }),
    );
  });

  it('come back as they were written, masked or not, wherever TCP cuts them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(payload, fc.option(fc.uint8Array({ maxLength: 125 }), { nil: undefined })), { maxLength: 4 }), fc.option(key, { nil: undefined }), cuts, (messages, maskKey, places) => {
        const bytes = messages.flatMap(([data, ping]) => [...(ping === undefined ? [] : [frame(Opcode.PING, ping, maskKey)]), frame(Opcode.BINARY, data, maskKey)]);
        const heard = read(cut(Buffer.concat(bytes), places), maskKey !== undefined);
        assert.deepEqual(heard.data, Buffer.concat(messages.map(([data]) => data)));
        assert.deepEqual(heard.pings, messages.flatMap(([, ping]) => (ping === undefined ? [] : [Buffer.from(ping)])));
      }),
    );
  });

  it('have the bytes of the examples of RFC 6455', () => {
    assert.equal(frame(Opcode.PING, Buffer.from('Hello')).toString('hex'), '890548656c6c6f');
    assert.equal(frame(Opcode.PONG, Buffer.from('Hello'), Buffer.from('37fa213d', 'hex')).toString('hex'), '8a8537fa213d7f9f4d5158');
    assert.equal(frame(Opcode.BINARY, new Uint8Array(256)).subarray(0, 4).toString('hex'), '827e0100');
    assert.equal(frame(Opcode.BINARY, new Uint8Array(65_536)).subarray(0, 10).toString('hex'), '827f0000000000010000');
  });

  it('may be pieces of a message, with control frames between them', () => {
    const heard = read([pieceOf(Opcode.BINARY, false, Buffer.from('a')), frame(Opcode.PING, Buffer.from('?')), pieceOf(Opcode.CONTINUATION, false, Buffer.from('b')), pieceOf(Opcode.CONTINUATION, true, Buffer.from('c'))]);
    assert.equal(heard.data.toString(), 'abc');
    assert.equal(heard.pings.length, 1);
  });

  it('end with a close frame: what stands behind it is not read', () => {
    const heard = read([Buffer.concat([frame(Opcode.CLOSE, Buffer.of(3, 232)), frame(Opcode.BINARY, Buffer.from('late')), Buffer.of(0xff)])]);
    assert.deepEqual([heard.closes, heard.data.length], [[Buffer.of(3, 232)], 0]);
  });

  for (const [what, bytes, code, expectsMask] of [
    ['text', frame(Opcode.TEXT, Buffer.from('hello')), 1003, false],
    ['an unmasked frame from a client', frame(Opcode.BINARY, Buffer.from('x')), 1002, true],
    ['a masked frame from a server', frame(Opcode.BINARY, Buffer.from('x'), Buffer.alloc(4)), 1002, false],
    ['a reserved bit', Buffer.of(0xc2, 0), 1002, false],
    ['an unknown kind', Buffer.of(0x83, 0), 1002, false],
    ['a control frame in pieces', Buffer.of(0x09, 0), 1002, false],
    ['a control frame of 126 bytes', frame(Opcode.PING, new Uint8Array(126)), 1002, false],
    ['a continuation of nothing', Buffer.of(0x80, 0), 1002, false],
    ['a new message inside another', Buffer.concat([pieceOf(Opcode.BINARY, false, Buffer.from('a')), frame(Opcode.BINARY, Buffer.from('b'))]), 1002, false],
    ['a frame that is too long', Buffer.concat([Buffer.of(0x82, 127), Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 1])]), 1009, false],
    ['a frame of 2^63 bytes', Buffer.concat([Buffer.of(0x82, 127), Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0])]), 1009, false],
  ] as const) {
    it(`that break the protocol are refused: ${what}`, () => {
      assert.throws(() => read([bytes], expectsMask), (error: unknown) => error instanceof FrameError && error.code === code);
    });
  }

  it('of the greatest length are taken', () => {
    assert.equal(read([frame(Opcode.BINARY, new Uint8Array(MAX_FRAME_BYTES))]).data.length, MAX_FRAME_BYTES);
  });

  it('are handed on where they arrived, without a copy', () => {
    const bytes = frame(Opcode.BINARY, patternBytes(1_000), Buffer.from('abcd'));
    const chunks: Buffer[] = [];
    new FrameReader(true, { data: (chunk) => void chunks.push(chunk), ping: () => undefined, close: () => undefined }).read(bytes, 0, bytes.length);
    assert.equal(chunks[0]?.buffer, bytes.buffer);
  });
});

describe('the mask', () => {
  it('is its own inverse, and that of the RFC at every place and alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), key, fc.nat(1_000), fc.nat(7), fc.nat(7), (bytes, maskKey, keyAt, before, behind) => {
        const whole = Buffer.alloc(before + bytes.length + behind, 7);
        whole.set(bytes, before);
        mask(whole, before, before + bytes.length, maskKey, keyAt);
        assert.deepEqual([...whole.subarray(before, before + bytes.length)], [...bytes].map((byte, i) => byte ^ (maskKey[(keyAt + i) % 4] ?? 0)));
        assert.ok([...whole.subarray(0, before), ...whole.subarray(before + bytes.length)].every((byte) => byte === 7), 'nothing around it');
      }),
    );
  });
});
