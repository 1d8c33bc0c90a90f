import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Delta } from '../../../../src/coordination/gossip/delta.ts';
import { decodeGossip, encodeGossip } from '../../../../src/coordination/gossip/messages.ts';
import { decodeCells, decodeDigest, decodeLists, decodePage, decodeQuestion, decodeRuns, encodeCells, encodeDigest, encodeLists, encodePage, encodeQuestion, encodeRuns } from '../../../../src/coordination/gossip/sync-messages.ts';
import type { Question } from '../../../../src/coordination/gossip/sync-messages.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';

const name = fc.string({ minLength: 1, maxLength: 60 });
const number = fc.nat(2 ** 31);
const bytes = fc.uint8Array({ maxLength: 100 });
const run = { relay: name, epoch: number };
const mark = fc.record({ authority: name, sequence: number });
const list = fc.record({ authority: name, sequence: number, list: bytes });
const cell = fc.record({ key: name, window: fc.constantFrom('2026-11', '2026-11-21'), bytes: fc.maxSafeNat() });

const delta: fc.Arbitrary<Delta> = fc.tuple(number, fc.integer({ min: 1, max: 1_000 })).chain(([from, count]) => {
  const sequence = fc.integer({ min: from + 1, max: from + count });
  return fc.record({
    ...run,
    from: fc.constant(from),
    to: fc.constant(from + count),
    beat: fc.option(fc.record({ sequence, ageMs: number }), { nil: undefined }),
    record: fc.option(fc.record({ sequence, bytes }), { nil: undefined }),
    leftAt: fc.option(sequence, { nil: undefined }),
    held: fc.array(fc.record({ peer: name, sequence, ttlMs: number, ageMs: number })),
    ended: fc.array(fc.record({ peer: name, sequence })),
    usage: fc.array(fc.record({ key: name, window: fc.constantFrom('2026-11', '2026-11-21'), sequence, bytes: fc.maxSafeNat() })),
  });
});

const digest = fc.record({ shards: fc.array(fc.record({ ...run, complete: number, ageMs: number, hasLeft: fc.boolean() })), lists: fc.array(mark), pastUsage: bytes.filter((hash) => hash.length <= 64) });

const question: fc.Arbitrary<Question> = fc.oneof(
  fc.record({ kind: fc.constant('digest' as const), digest }),
  fc.record({ kind: fc.constant('shard' as const), shard: fc.record({ ...run, from: number, isWhole: fc.boolean() }) }),
  fc.record({ kind: fc.constant('list' as const), authority: name }),
  fc.record({ kind: fc.constant('runs' as const) }),
  fc.record({ kind: fc.constant('cells' as const), cells: fc.record({ ...run, skip: number }) }),
);

describe('the messages of gossip', () => {
  it('are read as they were written', () => {
    same(fc.record({ delta, marks: fc.array(mark), lists: fc.array(list) }), encodeGossip, decodeGossip);
    same(question, encodeQuestion, decodeQuestion);
    same(digest, encodeDigest, decodeDigest);
    same(fc.option(fc.record({ delta, horizon: number, isWhole: fc.boolean(), hasMore: fc.boolean() }), { nil: undefined }), encodePage, decodePage);
    same(fc.array(list), encodeLists, decodeLists);
    same(fc.array(fc.record({ ...run, hash: fc.uint8Array({ maxLength: 64 }) })), encodeRuns, decodeRuns);
    same(fc.record({ cells: fc.array(cell), hasMore: fc.boolean() }), encodeCells, decodeCells);
  });

  it('that make no sense are malformed, and nothing else', () => {
    const decoders: ((bytes: Uint8Array) => unknown)[] = [decodeGossip, decodeQuestion, decodeDigest, decodePage, decodeLists, decodeRuns, decodeCells];
    const noise = fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 200 })).map(([isOurs, rest]) => (isOurs ? Uint8Array.of(1, ...rest) : rest));
    fc.assert(
      fc.property(noise, fc.constantFrom(...decoders), (message, decode) => {
        try {
          decode(message);
        } catch (error) {
          assert.ok(error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE', String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('of another version are refused', () => {
    const message = encodeGossip({ delta: { relay: 'r', epoch: 1, from: 0, to: 0, held: [], ended: [], usage: [] }, marks: [], lists: [] });
    message[0] = 2;
    assert.throws(() => decodeGossip(message), /of version 2, not 1/);
  });

  it('that tell of a change outside their range are malformed', () => {
    const outside = { relay: 'r', epoch: 1, from: 5, to: 6, held: [{ peer: 'p', sequence: 9, ttlMs: 1, ageMs: 0 }], ended: [], usage: [] };
    assert.throws(() => decodeGossip(encodeGossip({ delta: outside, marks: [], lists: [] })), /change 9 is not one of 6 to 6/);
  });
});

function same<T>(arbitrary: fc.Arbitrary<T>, encode: (message: T) => Uint8Array, decode: (bytes: Uint8Array) => T): void {
  fc.assert(fc.property(arbitrary, (message) => assert.deepEqual(plain(decode(encode(message))), plain(message))));
}

/** Texts with lone surrogates are written as the replacement character; bytes are compared as bytes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify([value], (_key, part: unknown) => (part instanceof Uint8Array || isBuffer(part) ? Buffer.from(part as Uint8Array).toString('hex') : part)));
}

function isBuffer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer';
}
