import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { sealedBy } from '../../../src/realm/signature.ts';
import { signToken } from '../../../src/realm/token.ts';
import { VerifiedTokens } from '../../../src/realm/verified-tokens.ts';
import { contentOf, makeKey } from './support.ts';

const HOUR = 3_600_000;
const KEY = makeKey();
const TOKEN = signToken(contentOf(), KEY.privateKey);

describe('tokens that were verified', () => {
  let clock: ManualClock;
  let looks: number;
  let tokens: VerifiedTokens;

  beforeEach(() => {
    clock = new ManualClock();
    looks = 0;
    const isSealed = sealedBy(KEY.raw);
    tokens = new VerifiedTokens('home', (kind, sealed) => (looks++, isSealed(kind, sealed)), clock);
  });

  const open = (token = TOKEN): unknown => tokens.open(token);

  it('are verified again after an hour, however often they are shown', () => {
    for (let i = 0; i < 4; i++) {
      assert.deepEqual(open(), contentOf());
      clock.advance(HOUR / 4);
    }
    assert.equal(looks, 1);
    assert.deepEqual(open(), contentOf());
    assert.equal(looks, 2);
    clock.advance(HOUR - 1);
    assert.deepEqual([open(), looks], [contentOf(), 2]);
  });

  it('are known by all of their bytes, and bad ones are not kept', () => {
    open();
    const forged = Uint8Array.from(TOKEN, (byte, i) => (i === TOKEN.length - 1 ? byte ^ 1 : byte));
    assert.deepEqual([open(forged), open(forged), looks], ['token signature', 'token signature', 3]);
    assert.equal(open(Uint8Array.of(1)), 'token malformed');
  });

  it('are kept as many as were used last', () => {
    const others = Array.from({ length: 4096 }, (_, i) => signToken(contentOf({ expiresSeconds: 1_800_000_000 + i }), KEY.privateKey));
    open();
    others.slice(1).forEach(open);
    open();
    assert.equal(looks, 4096);
    open(others[0]);
    open();
    assert.equal(looks, 4097, 'the one that was used longest ago went');
    open(others[1]);
    assert.equal(looks, 4098);
  });
});
