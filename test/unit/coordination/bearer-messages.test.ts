import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MAX_CLAIMS, decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from '../../../src/coordination/bearer-messages.ts';
import { MAX_LINK_FRAME_BYTES } from '../../../src/coordination/links.ts';
import type { BearerClaim } from '../../../src/lib/membership/bearer-claims.ts';

const LAST_MS = 253_402_300_859_000;

const claims: fc.Arbitrary<BearerClaim> = fc.record(
  {
    token: fc.stringMatching(/^[0-9a-f]{16}$/),
    peer: fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{1,100}$/),
    claimedAtWall: fc.integer({ min: 0, max: LAST_MS }),
    expiresAtWall: fc.integer({ min: 0, max: LAST_MS }),
    maxPeers: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
  },
  { noNullPrototype: true },
);

const aClaim = (changes: Partial<BearerClaim> = {}): BearerClaim => ({ token: '00112233aabbccdd', peer: 'a'.repeat(100), claimedAtWall: LAST_MS, expiresAtWall: LAST_MS, maxPeers: 1000, ...changes });
const refused = { code: 'MALFORMED_MESSAGE' };

describe('messages about bearer tokens', () => {
  it('come back as they went in', () => {
    fc.assert(fc.property(fc.string({ maxLength: 80 }), fc.array(claims, { maxLength: 20 }), (authority, told) => {
      assert.deepEqual(decodeQuestion(encodeQuestion({ authority, claims: told })), { authority, claims: told });
    }));
    fc.assert(fc.property(fc.option(fc.uint8Array(), { nil: undefined }), (digest) => {
      assert.deepEqual(decodeAnswer(encodeAnswer(digest))?.toString(), digest?.toString());
    }));
  });

  it('are far below the limit of a link when they are as large as they may be, and no larger', () => {
    const many = (count: number): Uint8Array => encodeQuestion({ authority: 'f'.repeat(64), claims: Array.from({ length: count }, () => aClaim()) });
    const largest = many(MAX_CLAIMS);
    assert.equal(decodeQuestion(largest).claims.length, MAX_CLAIMS);
    assert.ok(largest.byteLength < MAX_LINK_FRAME_BYTES / 4);
    assert.throws(() => decodeQuestion(many(MAX_CLAIMS + 1)), refused);
  });

  it('that say what no token says are refused', () => {
    const bad: Partial<BearerClaim>[] = [
      { token: '' }, { token: '00112233AABBCCDD' }, { token: '00112233aabbccdd0' }, { peer: '' }, { peer: 'a b' }, { peer: 'a'.repeat(101) },
      { claimedAtWall: LAST_MS + 1 }, { expiresAtWall: LAST_MS + 1 }, { maxPeers: 0 }, { maxPeers: 1001 },
    ];
    for (const changes of bad) assert.throws(() => decodeQuestion(encodeQuestion({ authority: 'aa', claims: [aClaim(changes)] })), refused, JSON.stringify(changes));
    assert.throws(() => decodeQuestion(new Uint8Array()), refused, 'no authority');
    assert.throws(() => decodeQuestion(Uint8Array.of(10, 2, 97, 97, 18, 0)), refused, 'an empty claim');
    assert.throws(() => decodeAnswer(Uint8Array.of(8, 1)), refused);
  });

  it('that are garbage never do anything else than be refused', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
      try {
        decodeQuestion(garbage);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'MALFORMED_MESSAGE');
      }
    }));
  });
});
