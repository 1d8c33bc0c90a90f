import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteQueue } from '../../../src/tunnel/byte-queue.ts';

const piece = fc.record({ length: fc.oneof(fc.nat(64), fc.integer({ min: 1000, max: 70_000 })), slack: fc.constantFrom(0, 10, 100_000) });
const step = fc.oneof({ weight: 3, arbitrary: piece }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 200_000 }) });

describe('ByteQueue', () => {
  it('gives back every byte, in order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new ByteQueue();
        const [pushed, taken]: [Buffer[], Buffer[]] = [[], []];
        let value = 0;
        for (const what of steps) {
          if (typeof what === 'number') {
            queue.take(what).forEach((block) => taken.push(Buffer.from(block)));
          } else {
            const bytes = new Uint8Array(new ArrayBuffer(what.length + what.slack), 0, what.length).map(() => value++ & 0xff);
            pushed.push(Buffer.from(bytes));
            queue.push(bytes);
          }
        }
        const before = queue.byteLength;
        const rest = queue.take(Infinity).map((block) => Buffer.from(block));
        assert.equal(Buffer.concat(rest).byteLength, before);
        assert.equal(queue.byteLength, 0);
        assert.ok(Buffer.concat(pushed).equals(Buffer.concat([...taken, ...rest])));
      }),
      { numRuns: 60 },
    );
  });

  it('takes no more than asked, but always something', () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 4; i++) queue.push(new Uint8Array(40_000));
    assert.deepEqual(queue.take(100_000).map(({ byteLength }) => byteLength), [40_000, 40_000]);
    assert.deepEqual(queue.take(1).map(({ byteLength }) => byteLength), [40_000]);
    assert.equal(queue.byteLength, 40_000);
  });

  it('holds one-byte views of large buffers in memory of about their own size', () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 50_000; i++) queue.push(new Uint8Array(new ArrayBuffer(1000), 0, 1));
    const blocks = queue.take(Infinity);
    assert.ok(blocks.length <= 4);
    assert.ok(blocks.reduce((sum, block) => sum + block.buffer.byteLength, 0) <= 65_536);
  });
});
