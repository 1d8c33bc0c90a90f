import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RelaydError } from '../../../src/lib/errors.ts';
import { MessageWriter } from '../../../src/lib/protobuf.ts';
import { MAX_TOKEN_BYTES } from '../../../src/realm/index.ts';
import { MAX_ANSWER_TEXT_BYTES, MAX_SERVICE_NAME_BYTES, MAX_TUNNEL_FRAME_BYTES, TunnelStatus, decodeAnswer, decodeRequest, encodeAnswer, encodeRequest, tunnelStatusName } from '../../../src/tunnel/protocol.ts';

const wellFormed = fc.string({ unit: 'grapheme', maxLength: 300 }).filter((text) => text.isWellFormed());
const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

/** Decoding either gives a value or says MALFORMED_MESSAGE; nothing else may come out of a peer's bytes. */
function decodesOrRefuses(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    return malformed(error);
  }
}

describe('tunnel messages', () => {
  it('have the bytes that the description gives', () => {
    assert.deepEqual([...encodeRequest({ name: 'ssh' })], [0x0a, 3, 0x73, 0x73, 0x68]);
    assert.deepEqual([...encodeRequest({ name: 's', token: Uint8Array.of(7, 8) })], [0x0a, 1, 0x73, 0x12, 2, 7, 8]);
    assert.deepEqual([...encodeAnswer({ status: TunnelStatus.OK, text: '' })], [0x08, 100]);
    assert.deepEqual([...encodeAnswer({ status: TunnelStatus.UNKNOWN_OR_FORBIDDEN, text: 'no' })], [0x08, 0xc8, 1, 0x12, 2, 0x6e, 0x6f]);
  });

  it('come back as they were sent', () => {
    fc.assert(
      fc.property(wellFormed, fc.nat(), fc.uint8Array({ maxLength: 1024 }), (text, status, token) => {
        const bytes = Buffer.byteLength(text);
        if (bytes > 0 && bytes <= MAX_SERVICE_NAME_BYTES) {
          assert.deepEqual(decodeRequest(encodeRequest({ name: text })), { name: text });
          assert.deepEqual(decodeRequest(encodeRequest({ name: text, token })), { name: text, token });
        } else {
          assert.throws(() => encodeRequest({ name: text }), malformed);
        }
        const answer = decodeAnswer(encodeAnswer({ status, text }));
        assert.equal(answer.status, status);
        assert.ok(text.startsWith(answer.text) && Buffer.byteLength(answer.text) <= MAX_ANSWER_TEXT_BYTES);
        assert.equal(answer.text === text, bytes <= MAX_ANSWER_TEXT_BYTES);
      }),
    );
  });

  it('fit their frame', () => {
    assert.ok(encodeRequest({ name: 'n'.repeat(MAX_SERVICE_NAME_BYTES), token: new Uint8Array(MAX_TOKEN_BYTES) }).byteLength <= MAX_TUNNEL_FRAME_BYTES);
    assert.ok(encodeAnswer({ status: Number.MAX_SAFE_INTEGER, text: '€'.repeat(1000) }).byteLength <= MAX_TUNNEL_FRAME_BYTES);
  });

  it('that are anything else are refused, never misread', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => decodesOrRefuses(decodeRequest, bytes) && decodesOrRefuses(decodeAnswer, bytes)));
  });

  it('skip fields of later versions, and need their own', () => {
    const request = new MessageWriter().text(9, 'later').varint(10, 7).text(1, 'ssh').finish();
    assert.deepEqual(decodeRequest(request), { name: 'ssh' });
    assert.throws(() => decodeRequest(new MessageWriter().text(9, 'later').finish()), malformed);
    assert.throws(() => decodeRequest(new MessageWriter().varint(1, 3).finish()), malformed);
    assert.throws(() => decodeAnswer(new MessageWriter().text(2, 'no status').finish()), malformed);
    assert.throws(() => decodeRequest(Uint8Array.of(0x0a, 1, 0xff)), malformed);
  });

  it('have a name for every status', () => {
    assert.equal(tunnelStatusName(TunnelStatus.UNREACHABLE), 'UNREACHABLE');
    assert.equal(tunnelStatusName(999), 'UNKNOWN(999)');
  });
});
