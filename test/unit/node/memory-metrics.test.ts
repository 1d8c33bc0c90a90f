import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { addMemoryLimits, heapLimitBytes } from '../../../src/node/memory-metrics.ts';

const MIB = 2 ** 20;

describe('the limits of memory', () => {
  it("are above what this process uses, and the heap's is not above what V8 says", async () => {
    const registry = new Registry();
    addMemoryLimits(registry);
    const value = async (name: string): Promise<number> => (await registry.getSingleMetric(name)?.get())?.values[0]?.value ?? NaN;
    const { rss, heapUsed } = process.memoryUsage();
    assert.ok((await value('relayd_memory_limit_bytes')) > rss);
    assert.ok((await value('relayd_heap_limit_bytes')) > heapUsed);
  });

  it("are Node's option where the operator has set it", () => {
    assert.equal(heapLimitBytes('--inspect --max-old-space-size=512', 704 * MIB), 512 * MIB);
    assert.equal(heapLimitBytes(' --max_old_space_size 256', 448 * MIB), 256 * MIB);
  });

  it('leave out the young generation otherwise, but not all that there is', () => {
    assert.equal(heapLimitBytes('', 4288 * MIB), 4096 * MIB);
    assert.equal(heapLimitBytes('', 131 * MIB), 65.5 * MIB);
  });
});
