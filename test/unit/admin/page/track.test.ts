import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Track } from '../../../../src/admin/page/track.ts';
import type { Tick } from '../../../../src/admin/sampling.ts';

const tick = (seconds: number, values: Tick['values'] = {}, refusals: Tick['refusals'] = {}): Tick => ({ time: seconds * 1000, values, refusals, status: {} });

function track(keepSeconds = 60): Track {
  return new Track({ stepSeconds: 2, times: [100, 102], values: { connections: [1, 2] }, refusals: { draining: [0, 1] } }, keepSeconds);
}

describe('what the plots draw', () => {
  it('grows by each step, and a series that is new has an empty past', () => {
    const drawn = track();
    assert.equal(drawn.add(tick(104, { connections: 3, openTunnels: 9 }, { 'circuits.max': 4 })), true);
    assert.deepEqual(drawn.times, [100, 102, 104]);
    assert.deepEqual(drawn.values, { connections: [1, 2, 3], openTunnels: [null, null, 9] });
    assert.deepEqual(drawn.refusals, { draining: [0, 1, 0], 'circuits.max': [0, 0, 4] });
  });

  it('takes no step twice', () => {
    const drawn = track();
    assert.equal(drawn.add(tick(102, { connections: 7 })), true);
    assert.deepEqual(drawn.values['connections'], [1, 2]);
  });

  it('says that steps are missing', () => {
    assert.equal(track().add(tick(108)), false);
  });

  it('lets go of what is too old', () => {
    const drawn = track(4);
    for (const seconds of [104, 106, 108]) drawn.add(tick(seconds, { connections: seconds }));
    assert.deepEqual(drawn.times, [104, 106, 108]);
    assert.deepEqual(drawn.values['connections'], [104, 106, 108]);
    assert.deepEqual(drawn.refusals['draining'], [0, 0, 0]);
  });

  it('counts what was refused lately', () => {
    const drawn = track();
    drawn.add(tick(104, {}, { draining: 2, 'circuits.max': 5 }));
    assert.deepEqual([drawn.refusedIn(60), drawn.refusedIn(2)], [8, 7]);
  });
});
