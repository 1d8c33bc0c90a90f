import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_LINK_FRAME_BYTES } from '../../../../src/coordination/links.ts';
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from '../../../../src/coordination/shares/codec.ts';
import { ANSWER_STATUSES, MAX_ITEMS, STATUSES } from '../../../../src/coordination/shares/messages.ts';
import { MAX_KEY_BYTES } from '../../../../src/lib/cluster/relay-cluster.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';

const count = fc.nat();
const big = fc.maxSafeNat();
const key = fc.string({ maxLength: 40, unit: 'grapheme' });
const plain = { noNullPrototype: true } as const;
const stamp = fc.record({ instance: big, session: big, sequence: count, view: big }, plain);
const questions = fc.oneof(
  fc.record({
    type: fc.constant('report' as const),
    stamp,
    holdings: fc.array(fc.record({ key, count }, plain)),
    levels: fc.array(fc.record({ key, missing: big, count, perMs: count }, plain)),
    last: fc.boolean(),
  }, plain),
  fc.record({
    type: fc.constant('ask' as const),
    stamp,
    wait: fc.boolean(),
    holds: fc.array(fc.record({ key, maximum: big, want: count, extra: count, give: count, claim: count }, plain)),
    rates: fc.array(fc.record({ key, count, perMs: count, want: count, extra: count, give: count }, plain)),
  }, plain),
  fc.record({ type: fc.constant('recall' as const), keys: fc.array(key) }, plain),
);
const status = fc.constantFrom(...STATUSES);
const answers = fc.record({
  status: fc.constantFrom(...ANSWER_STATUSES),
  holds: fc.array(fc.record({ status, granted: count, current: count, maximum: big, contended: fc.boolean() }, plain)),
  rates: fc.array(fc.record({ status, granted: count, retryAfterMs: count }, plain)),
}, plain);

describe('messages about shares', () => {
  it('come back as they were written', () => {
    fc.assert(fc.property(questions, (question) => assert.deepEqual(decodeQuestion(encodeQuestion(question)), question)));
    fc.assert(fc.property(answers, (answer) => assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer)));
  });

  it('are read or malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [decodeQuestion, decodeAnswer]) {
          try {
            decode(bytes);
          } catch (error) {
            assert.ok(error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE', String(error));
          }
        }
      }),
    );
  });

  it('of the longest kind fit a frame', () => {
    const longest = 'k'.repeat(MAX_KEY_BYTES);
    const most = 2 ** 31;
    const longStamp = { instance: 2 ** 48, session: most, sequence: most, view: 2 ** 48 };
    const many = <T>(make: () => T): T[] => Array.from({ length: MAX_ITEMS }, make);
    const holds = many(() => ({ key: longest, maximum: most, want: most, extra: most, give: most, claim: most }));
    assert.ok(encodeQuestion({ type: 'ask', stamp: longStamp, wait: true, holds, rates: [] }).byteLength <= MAX_LINK_FRAME_BYTES);
    const holdings = many(() => ({ key: longest, count: most }));
    const levels = many(() => ({ key: longest, missing: 2 ** 40, count: most, perMs: most }));
    assert.ok(encodeQuestion({ type: 'report', stamp: longStamp, last: true, holdings, levels }).byteLength <= MAX_LINK_FRAME_BYTES);
  });
});
