import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Outrun, inTurn } from '../../../src/relay/in-turn.ts';
import type { Brought } from '../../../src/relay/in-turn.ts';
import { settled } from '../../support/waiting.ts';

const NEXT_AFTER_MS = 1_000;

/** Ways that bring something when the test says so. */
class Ways {
  readonly clock = new ManualClock();
  readonly source = new AbortController();
  readonly discarded: string[] = [];
  readonly begun: (PromiseWithResolvers<string> & { signal: AbortSignal })[] = [];
  readonly result: Promise<Brought<string>>;

  constructor(count: number, signal: AbortSignal = this.source.signal) {
    const way = (own: AbortSignal): Promise<string> => {
      const one = { ...Promise.withResolvers<string>(), signal: own };
      this.begun.push(one);
      return one.promise;
    };
    this.result = inTurn(Array.from({ length: count }, () => way), { nextAfterMs: NEXT_AFTER_MS, clock: this.clock, signal, isFinal: ({ message }) => message === 'final', discard: (late) => this.discarded.push(late) });
  }

  fail(i: number, message: string): Promise<void> {
    this.begun[i]?.reject(new Error(message));
    return settled();
  }

  bring(i: number, value: string): Promise<void> {
    this.begun[i]?.resolve(value);
    return settled();
  }

  async messages(): Promise<string[]> {
    const brought = await this.result;
    return 'errors' in brought ? brought.errors.map(({ message }) => message) : [];
  }
}

describe('ways that are tried in turn', () => {
  it('are one alone as long as that does not take long', async () => {
    const ways = new Ways(2);
    ways.clock.advance(NEXT_AFTER_MS - 1);
    await ways.bring(0, 'first');
    assert.deepEqual(await ways.result, { value: 'first' });
    ways.clock.advance(NEXT_AFTER_MS);
    assert.deepEqual([ways.begun.length, ways.begun[0]?.signal.aborted], [1, false], 'what has won is not given up');
  });

  it('are followed by the next at once when one fails, and one that takes long is waited for beside it', async () => {
    const ways = new Ways(4);
    await ways.fail(0, 'a');
    assert.equal(ways.begun.length, 2);
    ways.clock.advance(NEXT_AFTER_MS);
    assert.equal(ways.begun.length, 3);
    await ways.fail(2, 'c');
    assert.equal(ways.begun.length, 4);
    await ways.fail(3, 'd');
    await ways.bring(1, 'second');
    assert.deepEqual(await ways.result, { value: 'second' });
  });

  it('are given up when another has brought something; what they still bring is discarded', async () => {
    const ways = new Ways(2);
    ways.clock.advance(NEXT_AFTER_MS);
    await ways.bring(1, 'second');
    assert.ok(ways.begun[0]?.signal.reason instanceof Outrun);
    await ways.bring(0, 'first');
    assert.deepEqual([await ways.result, ways.discarded], [{ value: 'second' }, ['first']]);
  });

  it('are over with what is final, and else when all have failed: with what became of each, in their order', async () => {
    const final = new Ways(3);
    final.clock.advance(NEXT_AFTER_MS);
    await final.fail(1, 'final');
    assert.deepEqual([await final.messages(), final.begun.length, final.begun[0]?.signal.aborted], [['final'], 2, true]);
    const all = new Ways(2);
    all.clock.advance(NEXT_AFTER_MS);
    await all.fail(1, 'b');
    await all.fail(0, 'a');
    assert.deepEqual(await all.messages(), ['a', 'b']);
    assert.deepEqual(await new Ways(0).messages(), []);
  });

  it('end when nobody waits any more, and none is begun then', async () => {
    const ways = new Ways(2);
    ways.source.abort(new Error('gone'));
    ways.clock.advance(NEXT_AFTER_MS);
    await ways.fail(0, 'given up');
    assert.deepEqual([await ways.messages(), ways.begun.length], [['given up'], 1]);
    assert.equal(ways.begun[0]?.signal.reason, ways.source.signal.reason);
    const late = new Ways(2, AbortSignal.abort(new Error('gone before')));
    assert.equal(late.begun[0]?.signal.aborted, true);
  });
});
