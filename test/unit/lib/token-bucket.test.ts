import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { TokenBucket, TokenBuckets } from '../../../src/lib/token-bucket.ts';

describe('TokenBucket', () => {
  it('starts full, gives its burst, and refills evenly', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ count: 4, perMs: 1000 }, clock);
    assert.equal(bucket.full, true);
    assert.deepEqual([1, 2, 3, 4, 5].map(() => bucket.tryTake()), [true, true, true, true, false]);
    assert.equal(bucket.waitMs(), 250);
    clock.advance(249);
    assert.equal(bucket.tryTake(), false);
    clock.advance(1);
    assert.equal(bucket.tryTake(), true);
    assert.equal(bucket.waitMs(), 250);
    clock.advance(1_000_000);
    assert.equal(bucket.available, 4, 'never more than the burst');
  });

  it('takes several at once or none', () => {
    const bucket = new TokenBucket({ count: 4, perMs: 1000 }, new ManualClock());
    assert.equal(bucket.tryTake(5), false);
    assert.equal(bucket.tryTake(3), true);
    assert.equal(bucket.tryTake(2), false);
    assert.equal(bucket.available, 1);
  });

  it('remembers a debt, and says when it is paid', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ count: 100, perMs: 1000 }, clock);
    bucket.take(300);
    assert.equal(bucket.available, -200);
    assert.equal(bucket.waitMs(0), 2000);
    assert.equal(bucket.waitMs(1), 2010);
    clock.advance(2000);
    assert.equal(bucket.waitMs(0), 0);
  });

  it('for a request of more than its burst waits for the burst, not for ever', () => {
    const bucket = new TokenBucket({ count: 4, perMs: 1000 }, new ManualClock());
    bucket.take(4);
    assert.equal(bucket.waitMs(100), 1000);
  });

  it('never gives more than burst and refill together, and always what it promised to wait for', () => {
    const step = fc.record({ afterMs: fc.nat({ max: 500 }), take: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 20 }), fc.integer({ min: 10, max: 5_000 }), fc.array(step, { maxLength: 60 }), (count, perMs, steps) => {
        const clock = new ManualClock();
        const bucket = new TokenBucket({ count, perMs }, clock);
        let given = 0;
        for (const { afterMs, take } of steps) {
          clock.advance(afterMs);
          if (bucket.tryTake(take)) given += take;
          assert.ok(given <= count + (clock.now() * count) / perMs + 1e-6);
        }
        clock.advance(bucket.waitMs(3));
        assert.equal(bucket.tryTake(3), true);
      }),
    );
  });
});

describe('TokenBuckets', () => {
  it('keep a bucket each key', () => {
    const clock = new ManualClock();
    const buckets = new TokenBuckets({ count: 1, perMs: 1000 }, clock);
    assert.equal(buckets.tryTake('a'), true);
    assert.equal(buckets.tryTake('a'), false);
    assert.equal(buckets.tryTake('b'), true);
    assert.equal(buckets.waitMs('a'), 1000);
    assert.equal(buckets.waitMs('unseen'), 0);
    clock.advance(1000);
    assert.equal(buckets.tryTake('a'), true);
  });

  it('without a rate let everything pass and keep nothing', () => {
    const buckets = new TokenBuckets(undefined, new ManualClock());
    for (let i = 0; i < 100; i++) assert.equal(buckets.tryTake(`${i}`), true);
    assert.equal(buckets.size, 0);
    assert.equal(buckets.waitMs('1'), 0);
  });

  it('hold no more keys than they may, and forget the full ones first', () => {
    const clock = new ManualClock();
    const buckets = new TokenBuckets({ count: 2, perMs: 1000 }, clock, 3);
    buckets.tryTake('spent');
    buckets.tryTake('spent');
    buckets.tryTake('refilled');
    clock.advance(500);
    buckets.tryTake('c');
    buckets.tryTake('d');
    assert.equal(buckets.size, 3);
    assert.equal(buckets.tryTake('spent'), true, 'it got one of its two back');
    assert.equal(buckets.tryTake('spent'), false, 'and was not forgotten');
  });

  it('forget full ones long before there are as many as there may be: thousands that come once leave little behind', () => {
    const clock = new ManualClock();
    const buckets = new TokenBuckets({ count: 2, perMs: 1000 }, clock);
    for (let i = 0; i < 10_000; i++) {
      buckets.tryTake(`${i}`);
      clock.advance(10);
    }
    assert.ok(buckets.size <= 1024, `${buckets.size} are kept, of which 50 are not full`);
  });

  it('hold no more keys than they may when a stranger comes with ever new ones', () => {
    const buckets = new TokenBuckets({ count: 2, perMs: 1000 }, new ManualClock(), 100);
    for (let i = 0; i < 1000; i++) {
      buckets.tryTake(`${i}`);
      assert.ok(buckets.size <= 100);
    }
    assert.equal(buckets.size, 100);
  });
});
