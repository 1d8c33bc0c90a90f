import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Pulse } from '../../../../src/coordination/links/pulse.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

function start(): { clock: ManualClock; pulse: Pulse; pings: number[]; silentAt: number[] } {
  const clock = new ManualClock();
  const pings: number[] = [];
  const silentAt: number[] = [];
  const pulse = new Pulse({ clock, sendPing: (id) => pings.push(id), onSilent: () => silentAt.push(clock.now()) });
  pulse.start();
  return { clock, pulse, pings, silentAt };
}

describe('the pulse of a link', () => {
  it('asks at once and then every second, as long as something is heard', () => {
    const { clock, pulse, pings, silentAt } = start();
    for (let i = 0; i < 10; i++) {
      pulse.heard();
      clock.advance(1_000);
    }
    assert.deepEqual(pings, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert.deepEqual(silentAt, []);
    pulse.stop();
    assert.equal(clock.pending, 0);
  });

  it('says that the other side is silent three seconds after the last that was heard', () => {
    const { clock, pulse, silentAt } = start();
    clock.advance(700);
    pulse.heard();
    clock.advance(10_000);
    assert.deepEqual(silentAt, [3_700]);
  });

  it('gives the other side a second more when it is this process that stood still', () => {
    const late = new LateClock();
    const silentAt: number[] = [];
    const pulse = new Pulse({ clock: late, sendPing: () => {}, onSilent: () => silentAt.push(late.now()) });
    pulse.start();
    late.standStill(20_000);
    assert.deepEqual(silentAt, []);
    late.advance(900);
    assert.deepEqual(silentAt, []);
    late.advance(200);
    assert.deepEqual(silentAt, [21_000]);
  });

  it('measures the way by answers to the newest ping, smoothed', () => {
    const { clock, pulse } = start();
    assert.equal(pulse.rttMs, undefined);
    clock.advance(80);
    pulse.heard();
    pulse.ponged(1, undefined);
    assert.equal(pulse.rttMs, 80);
    clock.advance(920);
    clock.advance(160);
    pulse.heard();
    pulse.ponged(1, undefined);
    assert.equal(pulse.rttMs, 80, 'an old ping');
    pulse.ponged(2, undefined);
    assert.equal(pulse.rttMs, 90);
    assert.equal(pulse.skew, undefined, 'the other side has not told its time');
  });

  it('compares the clocks, by the answer that was the shortest on its way', () => {
    const { clock, pulse } = start();
    const answer = (id: number, rttMs: number, aheadMs: number, answeredAfterMs: number): void => {
      clock.advance(answeredAfterMs);
      const theirs = clock.wall() + aheadMs;
      clock.advance(rttMs - answeredAfterMs);
      pulse.heard();
      pulse.ponged(id, theirs);
      clock.advance(1_000 - rttMs);
    };
    answer(1, 80, 5_000, 40);
    assert.deepEqual(pulse.skew, { aheadMs: 5_000, errorMs: 41 });
    answer(2, 200, 5_000, 200);
    assert.deepEqual(pulse.skew, { aheadMs: 5_000, errorMs: 41 }, 'this one says less');
    answer(3, 40, 5_000, 40);
    assert.deepEqual(pulse.skew, { aheadMs: 5_020, errorMs: 21 }, 'wrong by half of its way, and no more');
    for (let id = 4; id < 12; id++) answer(id, 200, -100, 100);
    assert.deepEqual(pulse.skew, { aheadMs: -100, errorMs: 101 }, 'the clock has been set meanwhile');
  });

  it('says of the clocks what is so, to within what it says, whatever way took how long', () => {
    const way = fc.integer({ min: 0, max: 400 });
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), fc.array(fc.tuple(way, way), { minLength: 1, maxLength: 20 }), (aheadMs, ways) => {
        const { clock, pulse, pings } = start();
        for (const [there, back] of ways) {
          clock.advance(there);
          const theirs = clock.wall() + aheadMs;
          clock.advance(back);
          pulse.heard();
          pulse.ponged(pings.length, theirs);
          clock.advance(1_000 - there - back);
        }
        const skew = pulse.skew ?? assert.fail('nothing was measured');
        assert.ok(Math.abs(skew.aheadMs - aheadMs) <= skew.errorMs, JSON.stringify(skew));
      }),
    );
  });
});

/** A clock whose timers all fire late after a pause, as in a process that was stopped. */
class LateClock extends ManualClock {
  #offset = 0;

  override now(): number {
    return super.now() + this.#offset;
  }

  standStill(ms: number): void {
    this.#offset += ms - 1_000;
    this.advance(1_000);
  }
}
