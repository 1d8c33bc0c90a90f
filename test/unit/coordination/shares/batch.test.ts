import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sizeOf, takeBatch } from '../../../../src/coordination/shares/batch.ts';
import { MAX_ITEMS } from '../../../../src/coordination/shares/messages.ts';
import { Pools } from '../../../../src/coordination/shares/pools.ts';

const terms = { self: 'self', nowMs: 0, wait: false };
const RATE = { count: 1, perMs: 1_000 };

describe('a batch', () => {
  it('has as many operations as a message, and leaves the others for the next', () => {
    const pools = new Pools(() => 'lender');
    const due = new Set(Array.from({ length: MAX_ITEMS + 1 }, (_, i) => (i % 2 === 0 ? pools.shareFor({ key: `${i}`, maximum: 1 }) : pools.leaseFor({ limit: 'rates.connectPerPeer', key: `${i}`, rate: RATE }))));
    due.forEach((pool) => pool.wait(() => {}));
    assert.equal(sizeOf(takeBatch(due, { ...terms, pools })), MAX_ITEMS);
    assert.equal(sizeOf(takeBatch(due, { ...terms, pools })), 1);
    assert.equal(due.size, 0);
  });

  it('has its pools in the order of their operations, and none of which there is nothing to say', () => {
    const pools = new Pools(() => 'lender');
    const [quiet, waiting] = [pools.shareFor({ key: 'quiet', maximum: 1 }), pools.shareFor({ key: 'waiting', maximum: 1 })];
    waiting.wait(() => {});
    const { shares, holds } = takeBatch(new Set([quiet, waiting]), { ...terms, pools });
    assert.deepEqual([shares, holds.map(({ key }) => key)], [[waiting], ['waiting']]);
    assert.deepEqual([...pools.shares()], [waiting], 'the other one is forgotten');
  });
});
