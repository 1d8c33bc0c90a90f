import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RelaydError } from '../../../src/lib/errors.ts';
import { decodeDialBack, decodeMessage, encodeDialBack, encodeMessage } from '../../../src/reachability/autonat-protocol.ts';
import type { AutonatMessage } from '../../../src/reachability/autonat-protocol.ts';

const nonce = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const number = fc.nat();
const bytes = fc.uint8Array({ maxLength: 64 });
const messages: fc.Arbitrary<AutonatMessage> = fc.oneof(
  fc.record({ type: fc.constant('dialRequest' as const), addrs: fc.array(bytes), nonce }, { noNullPrototype: true }),
  fc.record({ type: fc.constant('dialResponse' as const), status: number, addrIndex: number, dialStatus: number }, { noNullPrototype: true }),
  fc.record({ type: fc.constant('dialDataRequest' as const), addrIndex: number, sizeBytes: number }, { noNullPrototype: true }),
  fc.record({ type: fc.constant('dialDataResponse' as const), data: bytes }, { noNullPrototype: true }),
);

describe('messages of AutoNAT v2', () => {
  it('come back as they were written', () => {
    fc.assert(fc.property(messages, (message) => assert.deepEqual(decodeMessage(encodeMessage(message)), message)));
    fc.assert(fc.property(nonce, (value) => decodeDialBack(encodeDialBack(value)) === value));
  });

  it('are written as the specification says', () => {
    assert.deepEqual([...encodeMessage({ type: 'dialRequest', addrs: [Uint8Array.of(4, 1, 2, 3, 4)], nonce: 0x0102n })], [0x0a, 16, 0x0a, 5, 4, 1, 2, 3, 4, 0x11, 2, 1, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual([...encodeMessage({ type: 'dialResponse', status: 200, addrIndex: 1, dialStatus: 100 })], [0x12, 7, 0x08, 0xc8, 1, 0x10, 1, 0x18, 100]);
    assert.deepEqual([...encodeDialBack(1n)], [0x09, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('that leave out what is 0, as proto3 does, are understood', () => {
    assert.deepEqual(decodeMessage(Uint8Array.of(0x12, 0)), { type: 'dialResponse', status: 0, addrIndex: 0, dialStatus: 0 });
    assert.deepEqual(decodeMessage(Uint8Array.of(0x0a, 0)), { type: 'dialRequest', addrs: [], nonce: 0n });
  });

  it('of no known type are malformed, as is every other nonsense', () => {
    const isMalformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';
    assert.throws(() => decodeMessage(Uint8Array.of()), isMalformed);
    assert.throws(() => decodeMessage(Uint8Array.of(0x2a, 1, 0)), isMalformed);
    assert.throws(() => decodeDialBack(Uint8Array.of()), isMalformed);
    assert.throws(() => decodeDialBack(Uint8Array.of(0x08, 1)), isMalformed);
    const decoders = [decodeMessage, decodeDialBack];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), fc.constantFrom(...decoders), (garbage, decode) => {
        try {
          decode(garbage);
          return true;
        } catch (error) {
          return isMalformed(error);
        }
      }),
    );
  });
});
