import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { takeBatch } from '../../../../src/coordination/shares/batch.ts';
import type { Batch } from '../../../../src/coordination/shares/batch.ts';
import type { Answer, HoldResult } from '../../../../src/coordination/shares/messages.ts';
import { ShareMetrics } from '../../../../src/coordination/shares/metrics.ts';
import { Outcomes } from '../../../../src/coordination/shares/outcomes.ts';
import type { Served } from '../../../../src/coordination/shares/pool.ts';
import { Pools } from '../../../../src/coordination/shares/pools.ts';
import type { Share } from '../../../../src/coordination/shares/share.ts';
import { Spares } from '../../../../src/coordination/shares/spares.ts';
import { Views } from '../../../../src/coordination/shares/views.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

/** Of which one relay of two may use half by itself. */
const MAXIMUM = 4;
const DISAGREED_MS = 100;

describe('those who wait for places', () => {
  let clock: ManualClock;
  let pools: Pools;
  let outcomes: Outcomes;
  let share: Share;
  let asked: string[];
  let served: Served[];
  let isReachable: boolean;

  beforeEach(() => {
    clock = new ManualClock();
    const views = new Views('self', () => ({ live: ['lender', 'self'], known: 2 }), clock);
    views.update();
    pools = new Pools(() => 'lender');
    [asked, served, isReachable] = [[], [], true];
    outcomes = new Outcomes({
      views,
      clock,
      metrics: new ShareMetrics(new Registry(), () => 0),
      spares: new Spares({ pools, clock, onSpare: () => {} }),
      ask: (pool, kind) => asked.push(`${pool.key} ${kind}`),
      canAsk: () => isReachable,
    });
    share = pools.shareFor({ key: 'key', maximum: MAXIMUM });
  });

  function wait(count = 1): void {
    for (let i = 0; i < count; i++) share.wait((outcome) => served.push(outcome));
  }

  /** What was asked for all who wait now. */
  function askFor(terms: { wait: boolean } = { wait: false }): Batch {
    return takeBatch(new Set([share]), { pools, self: 'self', nowMs: clock.now(), ...terms });
  }

  const says = (result: Partial<HoldResult>): Answer => ({ status: 'ok', holds: [{ status: 'ok', granted: 0, current: 0, maximum: MAXIMUM, contended: false, ...result }], rates: [] });

  it('are served by what the lender gives, and refused what it says is full', () => {
    wait(2);
    outcomes.answered(askFor(), says({ status: 'full', granted: 1, current: MAXIMUM }));
    assert.deepEqual(served, [{ ok: true }, { ok: false, current: MAXIMUM, maximum: MAXIMUM }]);
    assert.deepEqual(asked, []);
  });

  it('are asked for again with patience when others may give some back, and refused when that was in vain', () => {
    wait();
    outcomes.answered(askFor(), says({ status: 'later' }));
    assert.deepEqual([asked, served], [['key patient'], []]);
    outcomes.answered(askFor({ wait: true }), says({ status: 'later' }));
    assert.equal(served[0]?.ok, false);
  });

  it('are asked for again when the answer is lost, and nobody is who has gone', () => {
    const leave = share.wait(() => {});
    outcomes.lost(askFor());
    assert.deepEqual(asked, ['key due']);
    const again = askFor();
    leave();
    outcomes.lost(again);
    assert.deepEqual(asked, ['key due']);
    assert.equal(pools.size, 0, 'nothing is left of the key');
  });

  it('have their part of the limit by this relay alone where the lender has no room, says too little, or is not there', () => {
    wait(3);
    const batch = askFor();
    outcomes.answered(batch, { status: 'ok', holds: [], rates: [] });
    assert.deepEqual(served, [{ ok: true }, { ok: true }, { ok: false, current: 2, maximum: 2 }]);
    wait();
    outcomes.unasked(new Set([share]), 'away');
    assert.equal(served[3]?.ok, false);
  });

  it('tell the lender at once what this relay took by itself, where it can be asked', () => {
    wait();
    outcomes.answered(askFor(), says({ status: 'busy' }));
    assert.deepEqual(asked, ['key due']);
    isReachable = false;
    wait();
    outcomes.answered(askFor(), says({ status: 'busy' }));
    assert.deepEqual([asked, served], [['key due'], [{ ok: true }, { ok: true }]]);
  });

  it('wait a moment for a lender that does not see itself as that, and no longer', () => {
    wait();
    outcomes.answered(askFor(), says({ status: 'elsewhere' }));
    clock.advance(DISAGREED_MS - 1);
    assert.deepEqual(served, []);
    clock.advance(1);
    assert.deepEqual(served, [{ ok: true }]);
  });

  it('are asked for anew when a lender that did not see this relay does', () => {
    wait();
    outcomes.unasked(new Set([share]), 'stranger');
    outcomes.agreed('another');
    assert.deepEqual(asked, []);
    outcomes.agreed('lender');
    assert.deepEqual(asked, ['key due']);
    clock.advance(DISAGREED_MS);
    assert.deepEqual(served, [], 'the lender decides');
  });

  it('are decided on by nobody of an older view, or after the stop', () => {
    for (const end of [() => outcomes.viewChanged(), () => outcomes.stop()]) {
      wait();
      outcomes.unasked(new Set([share]), 'stranger');
      end();
      clock.advance(DISAGREED_MS);
      assert.deepEqual(served, []);
    }
  });
});
