import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import type { Candidate } from '../../../src/client/candidate.ts';
import { clientMetrics } from '../../../src/client/metrics.ts';
import { Moving } from '../../../src/client/moving.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { candidate, state } from './candidate-support.ts';

const PAUSE_MS = 5 * 60_000;

describe('a move to a better relay', () => {
  let candidates: Candidate[];
  let near: Candidate;
  let tried: Candidate[];
  let moving: Moving;

  beforeEach(async () => {
    near = await candidate({ rttMs: 10 });
    candidates = [await candidate({ rttMs: 300, held: {} }), near];
    tried = [];
    const context = { candidates: { [Symbol.iterator]: () => candidates.values() }, log: silentLogger, metrics: clientMetrics(new Registry()) };
    moving = new Moving({ context, holding: { attempt: async (better) => void tried.push(better) } });
  });

  const decideAt = (nowMs: number): void => moving.decide(state(1, { nowMs }));

  it('is looked for once, when there is reason to', () => {
    decideAt(0);
    assert.deepEqual(tried, []);
    moving.due();
    decideAt(0);
    decideAt(PAUSE_MS);
    assert.deepEqual(tried, [near]);
  });

  it('waits until no relay is being tried', async () => {
    candidates.push(await candidate({ attemptAt: 0 }));
    moving.due();
    decideAt(0);
    assert.deepEqual(tried, []);
    candidates.pop();
    decideAt(1);
    assert.deepEqual(tried, [near]);
  });

  it('is five minutes after the one before, unless the configuration has changed', () => {
    moving.due();
    decideAt(0);
    moving.due();
    decideAt(PAUSE_MS - 1);
    assert.equal(tried.length, 1);
    decideAt(PAUSE_MS);
    assert.equal(tried.length, 2);
    moving.dueAtOnce();
    decideAt(PAUSE_MS);
    assert.equal(tried.length, 3);
  });
});
