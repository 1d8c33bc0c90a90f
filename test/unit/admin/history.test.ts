import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History, SAMPLE_STEP_MS } from '../../../src/admin/history.ts';
import type { Sample } from '../../../src/lib/contracts.ts';

const START = 1_700_000_000_000;

function sample(overrides: Partial<{ relayed: number; held: number; delay: number; refusals: Record<string, number> }> = {}): Sample {
  const { relayed = 0, held = 1, delay = 1, refusals = {} } = overrides;
  return { gauges: { heldReservations: held, delayMaxMs: delay }, totals: { relayedBytes: relayed }, refusals };
}

/** Adds samples in steps of two seconds. */
function filled(samples: readonly Sample[]): History {
  const history = new History();
  samples.forEach((each, i) => history.add(each, i * SAMPLE_STEP_MS, START + i * SAMPLE_STEP_MS));
  return history;
}

describe('the history of the status page', () => {
  it('turns totals into rates and counts what was refused between two looks', () => {
    const history = filled([sample({ refusals: { 'circuits.max': 7 } }), sample({ relayed: 4_000, refusals: { 'circuits.max': 9, draining: 1 } }), sample({ relayed: 4_000, refusals: { 'circuits.max': 9, draining: 1 } })]);
    const { stepSeconds, times, values, refusals } = history.columns('30m');
    assert.equal(stepSeconds, 2);
    assert.deepEqual(times, [START / 1000, START / 1000 + 2, START / 1000 + 4]);
    assert.deepEqual(values['relayedBytesPerSecond'], [null, 2_000, 0]);
    assert.deepEqual(values['heldReservations'], [1, 1, 1]);
    assert.deepEqual(refusals, { 'circuits.max': [0, 2, 0], draining: [0, 1, 0] });
  });

  it('measures rates by the time that passed, whatever the wall clock does', () => {
    const history = new History();
    history.add(sample(), 0, START);
    history.add(sample({ relayed: 1_000 }), 500, START - 3_600_000);
    const { times, values } = history.columns('30m');
    assert.deepEqual(values['relayedBytesPerSecond'], [null, 2_000]);
    assert.ok((times[1] ?? 0) > (times[0] ?? 0), 'times go forward');
  });

  it('has no negative rate when a node begins to count anew', () => {
    const { values, refusals } = filled([sample({ relayed: 5_000, refusals: { draining: 3 } }), sample({ refusals: { draining: 0 } })]).columns('30m');
    assert.deepEqual(values['relayedBytesPerSecond'], [null, 0]);
    assert.deepEqual(refusals, {});
  });

  it('keeps half an hour of steps, and a day of half minutes', () => {
    const day = 24 * 60 * 60_000;
    const history = filled(Array.from({ length: day / SAMPLE_STEP_MS + 100 }, (_sample, i) => sample({ relayed: i * 2_000, held: i % 15, delay: i % 15, refusals: { draining: i } })));
    const [fine, coarse] = [history.columns('30m'), history.columns('24h')];
    assert.equal(fine.times.length, 900);
    // One more: the half minute that is not over.
    assert.equal(coarse.times.length, 2_881);
    assert.equal(coarse.stepSeconds, 30);
    // The end of a half minute for what is held, the worst for a delay, the mean for a rate, the sum for what was refused.
    assert.deepEqual([coarse.values['heldReservations']?.[100], coarse.values['delayMaxMs']?.[100], coarse.values['relayedBytesPerSecond']?.[100], coarse.refusals['draining']?.[100]], [14, 14, 1_000, 15]);
    assert.equal(fine.times.at(-1), coarse.times.at(-1));
  });

  it('shows the first half minute in the long range too', () => {
    assert.equal(filled([sample(), sample()]).columns('24h').times.length, 1);
  });
});
