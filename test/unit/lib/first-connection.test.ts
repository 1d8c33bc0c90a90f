import type { Connection } from '@libp2p/interface';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { firstOf } from '../../../src/lib/first-connection.ts';
import { settled } from '../../support/waiting.ts';

const MS = 1_000;
const never = new AbortController().signal;

class Way {
  readonly #result = Promise.withResolvers<Connection>();
  signal: AbortSignal | undefined;
  closed = 0;
  readonly connection = { close: async () => void (this.closed += 1) } as unknown as Connection;
  readonly go = (signal: AbortSignal): Promise<Connection> => {
    this.signal = signal;
    return this.#result.promise;
  };
  win(): void {
    this.#result.resolve(this.connection);
  }
  fail(text: string): void {
    this.#result.reject(new Error(text));
  }
}

describe('the first connection of several ways', () => {
  it('wins: the others are given up, and what they still bring is closed', async () => {
    const [a, b, c] = [new Way(), new Way(), new Way()];
    const first = firstOf([a.go, b.go, c.go], { ms: MS, clock: new ManualClock(), signal: never, chooses: true });
    a.fail('no');
    b.win();
    assert.equal(await first, b.connection);
    assert.equal(c.signal?.aborted, true);
    c.win();
    await settled();
    assert.deepEqual([b.closed, c.closed], [0, 1]);
  });

  it('wins at the end that does not choose, too, where the others may still come for two seconds, and stay', async () => {
    const [a, b, c] = [new Way(), new Way(), new Way()];
    const clock = new ManualClock();
    const first = firstOf([a.go, b.go, c.go], { ms: 5 * MS, clock, signal: never, chooses: false });
    a.win();
    assert.equal(await first, a.connection);
    clock.advance(1_999);
    b.win();
    await settled();
    assert.deepEqual([b.closed, c.signal?.aborted], [0, false]);
    clock.advance(1);
    assert.equal(c.signal?.aborted, true);
  });

  it('is none when all fail, and every reason is told once', async () => {
    const ways = [new Way(), new Way(), new Way()];
    const first = firstOf(ways.map(({ go }) => go), { ms: MS, clock: new ManualClock(), signal: never, chooses: true });
    ways.forEach((way, i) => way.fail(i === 2 ? 'lost' : 'refused'));
    await assert.rejects(first, (error: unknown) => error instanceof RelaydError && error.code === 'DIAL_FAILED' && error.message === 'refused; lost');
  });

  it('is none without a way', async () => {
    await assert.rejects(firstOf([], { ms: MS, clock: new ManualClock(), signal: never, chooses: true }), { code: 'DIAL_FAILED' });
  });

  it('has a deadline, and ends with the signal of whoever waits', async () => {
    const clock = new ManualClock();
    const heeding = (signal: AbortSignal): Promise<Connection> => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const late = firstOf([heeding], { ms: MS, clock, signal: never, chooses: true });
    clock.advance(MS);
    await assert.rejects(late, { code: 'DIAL_FAILED', message: /1000 ms/ });
    const parent = new AbortController();
    const ended = firstOf([heeding], { ms: MS, clock, signal: parent.signal, chooses: true });
    parent.abort(new Error('stop'));
    await assert.rejects(ended, /^Error: stop$/);
  });
});
