import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeHop, decodeStop, encodeHop, encodeStop } from '../../../../src/lib/circuit/messages.ts';
import { Status, statusName } from '../../../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { MessageWriter, concat } from '../../../../src/lib/protobuf.ts';

const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

const bytes = fc.uint8Array({ maxLength: 80 });
const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((value) => value.isWellFormed());
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const peer = fc.record({ id: bytes, addrs: fc.array(bytes, { maxLength: 64 }) });
const limit = fc.record({ durationSeconds: whole, dataBytes: whole }, { requiredKeys: [] });
const reservation = fc.record({ expire: whole, addrs: fc.array(bytes, { maxLength: 64 }), voucher: bytes, ttlSeconds: whole }, { requiredKeys: ['expire', 'addrs'] });
const refusal = fc.record({ limit: text, current: whole, maximum: whole, retryAfterSeconds: whole, alternatives: fc.array(text, { maxLength: 64 }), explanation: text }, { requiredKeys: ['limit', 'alternatives'] });
const membership = fc.record({ class: text, problem: text }, { requiredKeys: ['class'] });
const hop = fc.record({ type: maybe(fc.constantFrom('RESERVE' as const, 'CONNECT' as const, 'STATUS' as const)), peer, reservation, limit, status: whole, refusal, token: bytes, membership }, { requiredKeys: ['type'] });
const stop = fc.record({ type: maybe(fc.constantFrom('CONNECT' as const, 'STATUS' as const)), peer, limit, status: whole }, { requiredKeys: ['type'] });

/** Fields that no version of the protocol has, of every kind that can be skipped. */
const unknownField = fc.record({ number: fc.integer({ min: 6, max: 0x1fffffff }).filter((number) => number < 100 || number > 102), value: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), bytes) });
const written = ({ number, value }: { number: number; value: bigint | Uint8Array }): Uint8Array =>
  typeof value === 'bigint' ? new MessageWriter().varint(number, value).finish() : new MessageWriter().bytes(number, value).finish();

/** Undefined fields of a message are those that it does not have. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : Array.isArray(value) ? value.map(plain) : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined).map(([name, inner]) => [name, plain(inner)])) : value;

function decodesOrRefuses(decode: (from: Uint8Array) => unknown, from: Uint8Array): boolean {
  try {
    decode(from);
    return true;
  } catch (error) {
    return malformed(error);
  }
}

describe('HOP and STOP messages', () => {
  it('have the bytes that the specification gives', () => {
    assert.deepEqual([...encodeHop({ type: 'RESERVE' })], [0x08, 0]);
    assert.deepEqual([...encodeHop({ type: 'CONNECT', peer: { id: Uint8Array.of(1, 2), addrs: [] } })], [0x08, 1, 0x12, 4, 0x0a, 2, 1, 2]);
    assert.deepEqual([...encodeHop({ type: 'STATUS', status: Status.NO_RESERVATION })], [0x08, 2, 0x28, 0xcc, 1]);
    assert.deepEqual([...encodeHop({ type: 'STATUS', status: 100, limit: { durationSeconds: 120, dataBytes: 131_072 } })], [0x08, 2, 0x22, 6, 0x08, 120, 0x10, 0x80, 0x80, 8, 0x28, 100]);
    assert.deepEqual([...encodeHop({ type: 'RESERVE', token: Uint8Array.of(7, 8) })], [0x08, 0, 0xaa, 6, 2, 7, 8], 'our field 101');
    assert.deepEqual([...encodeHop({ type: 'STATUS', status: 100, membership: { class: 'a', problem: 'b' } })], [0x08, 2, 0x28, 100, 0xb2, 6, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62], 'our field 102');
    assert.deepEqual([...encodeStop({ type: 'CONNECT', peer: { id: Uint8Array.of(7), addrs: [] } })], [0x08, 0, 0x12, 3, 0x0a, 1, 7]);
    assert.deepEqual([...encodeStop({ type: 'STATUS', status: 100 })], [0x08, 1, 0x20, 100]);
  });

  it('come back as they were sent', () => {
    fc.assert(fc.property(hop, (message) => assert.deepEqual(plain(decodeHop(encodeHop(message))), plain(message))));
    fc.assert(fc.property(stop, (message) => assert.deepEqual(plain(decodeStop(encodeStop(message))), plain(message))));
  });

  it('come back whole from between fields that nobody knows', () => {
    fc.assert(
      fc.property(hop, fc.array(unknownField, { maxLength: 6 }), fc.boolean(), (message, unknown, before) => {
        const extra = concat(unknown.map(written));
        const all = before ? concat([extra, encodeHop(message)]) : concat([encodeHop(message), extra]);
        assert.deepEqual(plain(decodeHop(all)), plain(message));
      }),
    );
  });

  it('of any bytes at all are read or MALFORMED_MESSAGE, and nothing else', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), (from) => decodesOrRefuses(decodeHop, from) && decodesOrRefuses(decodeStop, from));
    fc.assert(property, { numRuns: 3_000 });
  });

  it('that are damaged anywhere are read or MALFORMED_MESSAGE, and nothing else', () => {
    const property = fc.property(hop, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
      const from = encodeHop(message);
      if (from.byteLength > 0) from[at % from.byteLength]! ^= flip;
      return decodesOrRefuses(decodeHop, from) && decodesOrRefuses(decodeStop, from) && decodesOrRefuses(decodeHop, from.subarray(0, at % (from.byteLength + 1)));
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('carry the refusal in field 100, and a peer that does not know it reads the rest', () => {
    const message = { type: 'STATUS' as const, status: Status.RESERVATION_REFUSED, refusal: { limit: 'reservations.max', current: 128, maximum: 128, retryAfterSeconds: 60, alternatives: ['/ip4/192.0.2.1/tcp/1'] } };
    const sent = encodeHop(message);
    const at = Buffer.from(sent).indexOf(Uint8Array.of(0xa2, 0x06));
    assert.ok(at > 0, 'tag of field 100, length-delimited');
    assert.deepEqual([...sent.subarray(0, at)], [...encodeHop({ type: 'STATUS', status: 200 })]);
    assert.deepEqual(decodeHop(sent).refusal, message.refusal);
  });

  it('of a type that the specification does not have, or without one, have none', () => {
    assert.equal(decodeHop(new Uint8Array()).type, undefined);
    assert.equal(decodeHop(Uint8Array.of(0x08, 3)).type, undefined);
    assert.equal(decodeStop(Uint8Array.of(0x08, 2)).type, undefined);
    assert.equal(decodeHop(encodeHop({ type: undefined, status: 100 })).type, undefined);
  });

  it('with fields of the wrong kind are malformed', () => {
    assert.throws(() => decodeHop(new MessageWriter().bytes(1, new Uint8Array()).finish()), malformed);
    assert.throws(() => decodeHop(new MessageWriter().varint(2, 1).finish()), malformed);
    assert.throws(() => decodeHop(new MessageWriter().varint(100, 1).finish()), malformed);
    assert.throws(() => decodeHop(new MessageWriter().bytes(100, Uint8Array.of(0x0a, 1, 0xff)).finish()), malformed, 'a limit that is not UTF-8');
    assert.throws(() => decodeStop(new MessageWriter().bytes(4, new Uint8Array()).finish()), malformed);
  });

  it('keep no more addresses than a frame can usefully hold', () => {
    const addrs = Array.from({ length: 100 }, (_, i) => Uint8Array.of(i));
    assert.equal(decodeHop(encodeHop({ type: 'CONNECT', peer: { id: new Uint8Array(), addrs } })).peer?.addrs.length, 64);
  });

  it('take a limit of any size: what a number cannot hold is "as much as there is"', () => {
    const message = new MessageWriter().bytes(4, new MessageWriter().varint(1, 2n ** 32n - 1n).varint(2, 2n ** 64n - 1n).finish()).finish();
    assert.deepEqual(decodeHop(message).limit, { durationSeconds: 2 ** 32 - 1, dataBytes: Number.MAX_SAFE_INTEGER });
  });
});

describe('statusName', () => {
  it('names the codes of the specification, and says what it does not know', () => {
    assert.equal(statusName(100), 'OK');
    assert.equal(statusName(204), 'NO_RESERVATION');
    assert.equal(statusName(299), 'UNKNOWN(299)');
    assert.equal(statusName(undefined), 'UNKNOWN(none)');
  });
});
