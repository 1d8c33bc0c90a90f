import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BlockPool, blocksInUse, freeNow } from '../../../src/lib/block-pool.ts';
import { ByteQueue } from '../../../src/lib/byte-queue.ts';
import { patternBytes } from '../../support/bytes.ts';

const PIECE_BYTES = 16 * 1024;

describe('BlockPool', () => {
  it('gives again what it was given, up to what it keeps', () => {
    const pool = new BlockPool(100, 1);
    const [a, b] = [pool.take(), pool.take()];
    assert.deepEqual([a.length, b.length], [100, 100]);
    pool.give(a);
    pool.give(b);
    assert.equal(b.length, 0, 'freed');
    assert.equal(pool.take(), a);
    pool.give(a);
  });

  it('counts what is out', () => {
    const pool = new BlockPool(100, 8);
    const held = blocksInUse();
    const block = pool.take();
    assert.equal(blocksInUse(), held + 1);
    pool.give(block);
    assert.equal(blocksInUse(), held);
  });

  it('frees only memory that is not shared', () => {
    const whole = Buffer.allocUnsafeSlow(100);
    const part = whole.subarray(0, 50);
    freeNow(part);
    assert.equal(whole.length, 100);
    freeNow(whole);
    assert.equal(whole.length, 0);
    freeNow(new Uint8Array(new SharedArrayBuffer(8)));
    freeNow(Buffer.from('pooled'));
    freeNow(new Uint8Array(0));
  });
});

describe('ByteQueue', () => {
  it('gives what it got, in order, in pieces of any length, and all its memory back', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), bytes: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 50_000 }), fc.constantFrom(PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1)), from: fc.nat({ max: 3 }) }),
      fc.record({ kind: fc.constant('shift' as const), bytes: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 70_000 }), fc.constantFrom(PIECE_BYTES - 1, PIECE_BYTES)) }),
      fc.record({ kind: fc.constant('clear' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const held = blocksInUse();
        const queue = new ByteQueue();
        let expected = Buffer.alloc(0);
        let seed = 1;
        for (const one of steps) {
          if (one.kind === 'push') {
            const chunk = patternBytes(one.bytes + one.from, seed++);
            queue.push(chunk, one.from, chunk.length);
            expected = Buffer.concat([expected, chunk.subarray(one.from)]);
            chunk.fill(0);
          } else if (one.kind === 'shift') {
            const target = Buffer.alloc(one.bytes + 4, 0xcc);
            const moved = queue.shift(target, 2, one.bytes);
            assert.equal(moved, Math.min(one.bytes, expected.length));
            assert.ok(target.subarray(2, 2 + moved).equals(expected.subarray(0, moved)));
            assert.ok(target.subarray(2 + moved).every((byte) => byte === 0xcc));
            expected = expected.subarray(moved);
          } else {
            queue.clear();
            expected = Buffer.alloc(0);
          }
          assert.equal(queue.length, expected.length);
          assert.ok(blocksInUse() - held <= Math.ceil(queue.length / PIECE_BYTES) + 1, 'no more memory than there are bytes');
          if (queue.length === 0) assert.equal(blocksInUse(), held);
        }
        queue.clear();
        assert.equal(blocksInUse(), held);
      }),
      { numRuns: 300 },
    );
  });
});
