import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Loop } from '../../../src/discovery/loop.ts';
import { settled } from '../../support/waiting.ts';
import { base } from './support.ts';

const INTERVAL_MS = 60_000;

function rig(work: (signal: AbortSignal) => Promise<void>): { loop: Loop; clock: ReturnType<typeof base>['clock'] } {
  const { clock, random, log } = base();
  return { clock, loop: new Loop({ name: 'test', work, intervalMs: () => INTERVAL_MS, clock, random, log }) };
}

describe('work that is done again and again', () => {
  it('is done at the start and at every interval', async () => {
    let times = 0;
    const { loop, clock } = rig(() => Promise.resolve(void times++));
    loop.start();
    await settled();
    assert.equal(times, 1);
    clock.advance(INTERVAL_MS);
    await settled();
    assert.equal(times, 2);
    loop.stop();
    clock.advance(10 * INTERVAL_MS);
    assert.equal(times, 2);
    assert.equal(clock.pending, 0);
  });

  it('is tried again sooner after a failure, later after each, and at its pace again when it went well', async () => {
    const began: number[] = [];
    let failing = true;
    const { loop, clock } = rig(() => {
      began.push(clock.now());
      return failing ? Promise.reject(new Error('down')) : Promise.resolve();
    });
    loop.start();
    for (let i = 0; i < 40; i++) {
      await settled(1);
      clock.advance(500);
    }
    const waits = began.slice(1).map((at, i) => at - (began[i] ?? 0));
    assert.ok((waits[1] ?? 0) > (waits[0] ?? Infinity), `waits of ${waits.join()}`);
    failing = false;
    clock.advance(400_000);
    await settled();
    const good = began.length;
    clock.advance(INTERVAL_MS - 1);
    await settled();
    assert.equal(began.length, good);
    loop.stop();
  });

  it('is hurried, but not more often than every five seconds, and one time at a time', async () => {
    let times = 0;
    let done = (): void => {};
    const { loop, clock } = rig(() => new Promise((resolve) => ((done = resolve), times++)));
    loop.start();
    loop.hurry();
    assert.equal(times, 1, 'it was under way');
    done();
    await settled();
    clock.advance(4_999);
    await settled();
    assert.equal(times, 1, 'too soon');
    clock.advance(1);
    await settled();
    assert.equal(times, 2, 'hurried while it was under way');
    done();
    await settled();
    loop.stop();
    loop.hurry();
    clock.advance(INTERVAL_MS);
    assert.equal(times, 2, 'stopped');
  });

  it('aborts what is under way when it stops, and starts anew', async () => {
    const signals: AbortSignal[] = [];
    const { loop } = rig((signal) => new Promise((_resolve, reject) => {
      signals.push(signal);
      signal.addEventListener('abort', () => reject(new Error('stopped')));
    }));
    loop.start();
    loop.stop();
    assert.equal(signals[0]?.aborted, true);
    loop.start();
    await settled();
    assert.equal(signals.length, 2);
    assert.equal(signals[1]?.aborted, false);
    loop.stop();
  });
});
