import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Keys, nameIn } from '../../../../src/coordination/etcd/keys.ts';
import type { KeyRange } from '../../../../src/coordination/etcd/keys.ts';

const keys = new Keys('games');
const PEER = '12D3KooWKPZnDD4yPSWpWWmq8CDXTyLLoSNZH2HxaUHNzzL9g5bX';
const quotaKey = fc.array(fc.constantFrom('quota', '/', 'peer', '2001:db8::/32', 'ä', '%2F', '0'), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));

function isIn({ from, to }: KeyRange, key: string): boolean {
  const bytes = Buffer.from(key);
  return Buffer.compare(Buffer.from(from), bytes) <= 0 && Buffer.compare(bytes, Buffer.from(to)) < 0;
}

describe('keys in etcd', () => {
  it('watch the records and lists of this cluster, and nothing else', () => {
    assert.ok(isIn(keys.watched, keys.record(PEER)));
    assert.ok(isIn(keys.watched, keys.list('ab'.repeat(32))));
    for (const other of [keys.reservation(PEER, PEER), keys.usage('2026-11', 'quota/peer/x', PEER), new Keys('games2').record(PEER), new Keys('game').record(PEER), new Keys('games').prefix]) {
      assert.ok(!isIn(keys.watched, other), other);
    }
  });

  it('all lie under one prefix, for which rights can be given', () => {
    for (const key of [keys.record(PEER), keys.list('aa'), keys.reservation(PEER, PEER), keys.usage('2026-11', 'x', PEER)]) assert.ok(key.startsWith('/relayd/games/'), key);
  });

  it('are read back', () => {
    assert.equal(keys.relayOf(keys.record(PEER)), PEER);
    assert.equal(keys.authorityOf(keys.list('aa')), 'aa');
    assert.equal(keys.relayOf(keys.list('aa')), undefined);
    assert.equal(keys.relayOf(`${keys.record(PEER)}/more`), undefined);
    assert.equal(keys.relayOf(keys.record('')), undefined);
    assert.equal(nameIn(keys.reservation('target', 'relay')), 'relay');
  });

  it('find the use of a quota, and never that of another whose key begins alike', () => {
    fc.assert(
      fc.property(quotaKey, quotaKey, (one, other) => {
        assert.ok(isIn(keys.usages('2026-11', one), keys.usage('2026-11', one, PEER)));
        assert.ok(!isIn(keys.usages('2026-11', one), keys.usage('2026-11-21', one, PEER)));
        assert.equal(isIn(keys.usages('2026-11', one), keys.usage('2026-11', other, PEER)), one === other);
      }),
    );
  });

  it('find the reservations of a peer, and of no other', () => {
    assert.ok(isIn(keys.reservations('peer'), keys.reservation('peer', 'relay')));
    assert.ok(!isIn(keys.reservations('peer'), keys.reservation('peer2', 'relay')));
  });
});
