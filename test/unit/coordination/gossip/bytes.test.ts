import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../../../src/coordination/gossip/bytes.ts';

describe('the bytes of gossip', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 3000 }), (numbers, text, bytes) => {
        const writer = new ByteWriter();
        writer.list(numbers, (number) => writer.number(number)).text(text).bytes(bytes);
        const reader = new ByteReader(writer.finish());
        assert.deepEqual(reader.list(() => reader.number()), numbers);
        assert.equal(reader.text(10_000), Buffer.from(text).toString());
        assert.deepEqual(Uint8Array.from(reader.bytes(10_000)), bytes);
        reader.end();
      }),
    );
  });

  it('that end early, are too long, or claim more than they hold are malformed', () => {
    const malformed = { code: 'MALFORMED_MESSAGE' };
    assert.throws(() => new ByteReader(Uint8Array.of(0x80)).number(), malformed);
    assert.throws(() => new ByteReader(new Uint8Array(9).fill(0xff)).number(), malformed);
    assert.throws(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)).number(), malformed);
    assert.throws(() => new ByteReader(Uint8Array.of(5, 1, 2)).bytes(10), malformed);
    assert.throws(() => new ByteReader(Uint8Array.of(2, 1, 2)).bytes(1), malformed);
    const list = new ByteReader(Uint8Array.of(3, 1, 2));
    assert.throws(() => list.list(() => list.number()), malformed);
    assert.throws(() => new ByteReader(Uint8Array.of(1)).end(), malformed);
  });
});
