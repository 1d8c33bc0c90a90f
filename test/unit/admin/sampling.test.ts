import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { SAMPLE_STEP_MS } from '../../../src/admin/history.ts';
import { Sampling } from '../../../src/admin/sampling.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';
import { FakeView } from './fake-view.ts';

/** What a watcher is handed: as much of a response as is written to. */
class Reader extends EventEmitter {
  readonly texts: string[] = [];
  writableNeedDrain = false;
  destroyed = false;

  write(text: string): void {
    this.texts.push(text);
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function start(): { sampling: Sampling; clock: ManualClock; view: FakeView; watch: () => Reader } {
  const [clock, view] = [new ManualClock(), new FakeView()];
  const sampling = new Sampling({ view, clock, log: silentLogger });
  sampling.start();
  const watch = (): Reader => {
    const reader = new Reader();
    const reply = sampling.watchers.reply();
    reader.write(reply.body);
    reply.goesOn?.(reader as unknown as ServerResponse);
    return reader;
  };
  return { sampling, clock, view, watch };
}

async function step(clock: ManualClock): Promise<void> {
  clock.advance(SAMPLE_STEP_MS);
  await settled(2);
}

describe('what watchers are told', () => {
  it('is the last look at once, and then each one', async () => {
    const { sampling, clock, watch } = start();
    await settled(2);
    const reader = watch();
    assert.match(reader.texts[0] ?? '', /^retry: \d+\n\nevent: tick\ndata: \{"time":.*"status":\{"peerId".*\}\n\n$/);
    await step(clock);
    await step(clock);
    assert.equal(reader.texts.length, 3);
    sampling.stop();
    assert.equal(reader.destroyed, true);
    assert.equal(sampling.watchers.count, 0);
    assert.equal(clock.pending, 0);
  });

  it('is a sign of life while the node has nothing to show', async () => {
    const { clock, view, watch } = start();
    const reader = watch();
    view.failWith = new Error('the node is not running');
    await step(clock);
    assert.equal(reader.texts.at(-1), ': nothing new\n\n');
    view.failWith = undefined;
    await step(clock);
    assert.match(reader.texts.at(-1) ?? '', /^event: tick/);
  });

  it('does not pile up for a reader that is slow, and one that stands still is let go', async () => {
    const { sampling, clock, watch } = start();
    await settled(2);
    const [slow, quick] = [watch(), watch()];
    slow.writableNeedDrain = true;
    for (let i = 0; i < 9; i++) await step(clock);
    assert.deepEqual([slow.texts.length, slow.destroyed, quick.texts.length], [1, false, 10]);
    slow.writableNeedDrain = false;
    await step(clock);
    assert.equal(slow.texts.length, 2, 'it goes on with the newest');
    slow.writableNeedDrain = true;
    for (let i = 0; i < 10; i++) await step(clock);
    assert.deepEqual([slow.destroyed, sampling.watchers.count], [true, 1]);
  });

  it('goes to 64 of them, and the next is told to come later', async () => {
    const { sampling, watch } = start();
    const readers = Array.from({ length: 64 }, () => watch());
    assert.throws(() => sampling.watchers.reply(), { code: 'BUSY' });
    readers[0]?.destroy();
    sampling.watchers.reply();
  });

  it('comes from one look at a time, also after a stop and a start', async () => {
    const { sampling, clock, view } = start();
    let looks = 0;
    const look = view.sample.bind(view);
    view.sample = () => (looks++, look());
    sampling.stop();
    sampling.start();
    await settled(2);
    await step(clock);
    assert.equal(looks, 2);
    assert.equal(clock.pending, 1);
  });
});
