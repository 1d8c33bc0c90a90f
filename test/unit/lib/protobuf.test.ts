import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RelaydError } from '../../../src/lib/errors.ts';
import { MessageWriter, bytesOf, concat, encodeVarint, fixed64Of, numberOf, readFields, saturatedNumberOf, textOf } from '../../../src/lib/protobuf.ts';
import type { Field } from '../../../src/lib/protobuf.ts';

const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';
const fields = (bytes: number[]): Field[] => [...readFields(Uint8Array.from(bytes))];
const first = (bytes: Uint8Array): Field => {
  const [field] = [...readFields(bytes)];
  if (field === undefined) throw new Error('no field');
  return field;
};

describe('varints', () => {
  it('are written as protobuf.dev shows them', () => {
    assert.deepEqual([...encodeVarint(0)], [0]);
    assert.deepEqual([...encodeVarint(1)], [1]);
    assert.deepEqual([...encodeVarint(150)], [0x96, 0x01]);
    assert.deepEqual([...encodeVarint(2n ** 64n - 1n)], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  });

  it('of negative numbers are their 64 bits, as everywhere in protobuf', { timeout: 5_000 }, () => {
    assert.deepEqual([...encodeVarint(-1)], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  });

  it('come back as they were written', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => first(concat([Uint8Array.of(8), encodeVarint(value)])).varint === value));
  });

  it('of more than ten bytes, or that do not end, are malformed', () => {
    assert.throws(() => fields([8, ...Array<number>(11).fill(0x80), 0]), malformed);
    assert.throws(() => fields([8, 0x80]), malformed);
    assert.throws(() => fields([0x80]), malformed);
  });
});

describe('fields', () => {
  it('of 32 bits are skipped, others are given in order', () => {
    const found = fields([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x10, 7, 0x1a, 2, 0x61, 0x62]);
    assert.deepEqual(
      found.map(({ number, varint, bytes, fixed64 }) => [number, varint, bytes && [...bytes], fixed64]),
      [
        [1, undefined, undefined, 0x0807060504030201n],
        [2, 7n, undefined, undefined],
        [3, undefined, [0x61, 0x62], undefined],
      ],
    );
  });

  it('of 64 bits come back as they were written', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => fixed64Of(first(new MessageWriter().fixed64(3, value).finish())) === value));
  });

  it('that are cut short, are groups, or have a number outside the range are malformed', () => {
    for (const bytes of [[0x0a, 2, 1], [0x09, 1, 2, 3], [0x0d, 1], [0x0b], [0x0c], [0x0e], [0x0f], [0x00, 1], [0x02, 0], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]]) {
      assert.throws(() => fields(bytes), malformed, `[${bytes.join(', ')}]`);
    }
    assert.throws(() => fields([...encodeVarint(0x20000000n << 3n), 1]), malformed);
    assert.equal(first(concat([encodeVarint(0x1fffffffn << 3n), Uint8Array.of(1)])).number, 0x1fffffff);
  });

  it('of the wrong kind, or out of range, are malformed', () => {
    const varint = first(Uint8Array.of(0x08, 1));
    const bytes = first(Uint8Array.of(0x0a, 1, 0xff));
    assert.throws(() => bytesOf(varint), malformed);
    assert.throws(() => textOf(varint), malformed);
    assert.throws(() => numberOf(bytes), malformed);
    assert.throws(() => fixed64Of(varint), malformed);
    assert.throws(() => saturatedNumberOf(bytes), malformed);
    assert.throws(() => textOf(bytes), malformed, 'not UTF-8');
    const huge = first(concat([Uint8Array.of(8), encodeVarint(2n ** 53n)]));
    assert.throws(() => numberOf(huge), malformed);
    assert.equal(saturatedNumberOf(huge), Number.MAX_SAFE_INTEGER);
  });

  it('of any bytes at all are read or malformed, and reading ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          return [...readFields(bytes)].every((field) => field.number >= 1);
        } catch (error) {
          return malformed(error);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('MessageWriter', () => {
  it('writes fields in the order of the calls, and nothing for undefined', () => {
    const bytes = new MessageWriter().varint(5, 100).text(1, 'a').varint(2, undefined).bytes(3, undefined).text(4, undefined).bytes(100, Uint8Array.of(9)).finish();
    assert.deepEqual([...bytes], [0x28, 100, 0x0a, 1, 0x61, 0xa2, 0x06, 1, 9]);
  });

  it('writes what readFields reads', () => {
    const item = fc.record({ number: fc.integer({ min: 1, max: 0x1fffffff }), value: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.uint8Array({ maxLength: 300 })) }, { noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), (items) => {
        const writer = new MessageWriter();
        items.forEach(({ number, value }) => (typeof value === 'bigint' ? writer.varint(number, value) : writer.bytes(number, value)));
        const back = [...readFields(writer.finish())];
        assert.deepEqual(
          back.map((field) => ({ number: field.number, value: field.varint ?? new Uint8Array(field.bytes ?? []) })),
          items,
        );
      }),
    );
  });
});
