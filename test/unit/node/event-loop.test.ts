import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { ManualClock } from '../../../src/lib/clock.ts';
import { EventLoopMonitor } from '../../../src/node/event-loop.ts';
import { until } from '../../support/waiting.ts';

const WINDOW_MS = 5_000;
const STALL_MS = 400;
/** A busy machine is late by itself, but hardly by this much. */
const SEEN_MS = 350;

describe('EventLoopMonitor', () => {
  let clock: ManualClock;
  let registry: Registry;
  let monitor: EventLoopMonitor;
  beforeEach(() => {
    clock = new ManualClock();
    registry = new Registry();
    monitor = new EventLoopMonitor(clock, registry);
    monitor.start();
  });
  afterEach(() => monitor.stop());

  async function stall(): Promise<void> {
    // A histogram counts from its first tick; no tick is on time to the nanosecond.
    await until(() => monitor.maxMs() > 0, 'a tick');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
    await until(() => monitor.maxMs() >= SEEN_MS, 'the stall to be seen');
  }
  const isForgotten = (): boolean => monitor.maxMs() < SEEN_MS;

  it('remembers a stall for at least one window and at most two', async () => {
    await stall();
    clock.advance(WINDOW_MS);
    assert.equal(isForgotten(), false);
    clock.advance(WINDOW_MS);
    assert.equal(isForgotten(), true);
    await stall();
    clock.advance(WINDOW_MS);
    assert.equal(isForgotten(), false, 'also one that came when the windows had turned');
    clock.advance(WINDOW_MS);
    assert.equal(isForgotten(), true);
  });

  it('says it in a series too, in seconds', async () => {
    await stall();
    const { values } = (await registry.getSingleMetric('relayd_event_loop_delay_seconds')?.get()) ?? assert.fail();
    assert.deepEqual(values.map(({ labels }) => labels['quantile']), ['p50', 'p99', 'max']);
    const [p50 = NaN, p99 = NaN, max = NaN] = values.map(({ value }) => value);
    assert.ok(p50 <= p99 && p99 <= max && max >= SEEN_MS / 1_000 && max < 100, `${p50} ${p99} ${max}`);
  });

  it('does not take a single stall after the start for a loop that is late all the time, but several', async () => {
    await stall();
    assert.ok(monitor.p99Ms() < SEEN_MS, `${monitor.p99Ms()} ms`);
    for (let i = 0; i < 3; i++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => monitor.p99Ms() >= SEEN_MS, 'more than one in a hundred to be late');
  });

  it('is never late while it is stopped, and begins anew', async () => {
    await stall();
    monitor.stop();
    assert.deepEqual([monitor.p99Ms(), monitor.maxMs(), clock.pending], [0, 0, 0]);
    monitor.start();
    assert.equal(isForgotten(), true);
    await stall();
  });
});
