import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from '../../../../src/coordination/links/frame-reader.ts';
import { decodeFrame, decodeNonce, decodeProof, encodeFrame, encodeNonce, encodeProof } from '../../../../src/coordination/links/messages.ts';
import type { LinkFrame } from '../../../../src/coordination/links/messages.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { MessageWriter, concat, encodeVarint } from '../../../../src/lib/protobuf.ts';

const id = fc.nat();
const body = fc.uint8Array({ maxLength: 300 });
const frames: fc.Arbitrary<LinkFrame> = fc.oneof(
  fc.record({ type: fc.constant('question' as const), id, kind: fc.nat(), body }),
  fc.record({ type: fc.constant('answer' as const), id, body }),
  fc.record({ type: fc.constant('refusal' as const), id, busy: fc.boolean() }),
  fc.record({ type: fc.constant('ping' as const), id }),
  fc.record({ type: fc.constant('pong' as const), id, wallMs: fc.option(fc.maxSafeNat(), { nil: undefined }) }),
);
const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

describe('messages of a link', () => {
  it('come back as they were written', () => {
    fc.assert(fc.property(frames, (frame) => assert.deepEqual(decodeFrame(encodeFrame(frame)), { ...frame })));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        assert.deepEqual(decodeNonce(encodeNonce(bytes)), bytes);
        assert.deepEqual(decodeProof(encodeProof(bytes)), bytes);
      }),
    );
  });

  it('are read or malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [decodeFrame, decodeNonce, decodeProof]) {
          try {
            decode(bytes);
          } catch (error) {
            assert.ok(malformed(error), String(error));
          }
        }
      }),
    );
  });

  it('of a type of a later version are passed over, and those without a type, an id or a kind are malformed', () => {
    assert.equal(decodeFrame(new MessageWriter().varint(1, 9).varint(2, 1).finish()), undefined);
    for (const bytes of [new MessageWriter().varint(1, 4), new MessageWriter().varint(2, 1), new MessageWriter().varint(1, 1).varint(2, 1)]) {
      assert.throws(() => decodeFrame(bytes.finish()), malformed);
    }
  });

  it('with fields of a later version are read without them, and a time that no clock shows breaks no link', () => {
    const pong = new MessageWriter().varint(1, 5).varint(2, 7);
    assert.deepEqual(decodeFrame(pong.finish()), { type: 'pong', id: 7, wallMs: undefined }, 'of a version that tells no time');
    assert.deepEqual(decodeFrame(pong.varint(6, 2n ** 64n - 1n).varint(7, 1).text(8, 'later').finish()), { type: 'pong', id: 7, wallMs: Number.MAX_SAFE_INTEGER });
    assert.deepEqual(decodeFrame(encodeFrame({ type: 'pong', id: 7, wallMs: -5 })), { type: 'pong', id: 7, wallMs: 0 }, 'before 1970');
  });

  it('of the handshake have 32 bytes', () => {
    assert.throws(() => decodeNonce(encodeNonce(new Uint8Array(31))), malformed);
    assert.throws(() => decodeProof(encodeProof(new Uint8Array(33))), malformed);
    assert.throws(() => decodeProof(encodeNonce(new Uint8Array(32))), malformed);
  });
});

describe('a reader of frames', () => {
  it('gives whole frames in order, whatever pieces they come in', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = concat(sent.flatMap((frame) => [encodeVarint(frame.byteLength), frame]));
        const reader = new FrameReader(300);
        const read: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.byteLength; i++) {
          const end = at + (cuts[i % cuts.length] as number);
          read.push(...reader.push(bytes.slice(at, end)).map((frame) => frame.slice()));
          at = end;
        }
        assert.deepEqual(read, sent);
      }),
    );
  });

  it('holds bytes and not the pieces that they came in, which a sender may make as small as it likes', () => {
    const reader = new FrameReader(1 << 20);
    const [frame, one] = [Uint8Array.from({ length: 100_000 }, (_, i) => i), new Uint8Array(1)];
    const read = [...encodeVarint(frame.byteLength), ...frame, ...encodeVarint(frame.byteLength)].flatMap((byte) => {
      one[0] = byte;
      return reader.push(one);
    });
    assert.deepEqual(read.map((bytes) => Buffer.compare(bytes, frame)), [0]);
  });

  it('refuses an empty frame, one that is too long, and a prefix without an end, as soon as it sees the prefix', () => {
    for (const bytes of [[0], [0xad, 0x02], [0x80, 0x80, 0x80, 0x80]]) {
      assert.throws(() => new FrameReader(300).push(Uint8Array.from(bytes)), malformed);
    }
    assert.deepEqual(new FrameReader(300).push(Uint8Array.from([0xac, 0x02, 1])), []);
  });
});
