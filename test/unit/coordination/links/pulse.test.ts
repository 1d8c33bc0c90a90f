import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
    pulse.ponged(1);
    assert.equal(pulse.rttMs, 80);
    clock.advance(920);
    clock.advance(160);
    pulse.heard();
    pulse.ponged(1);
    assert.equal(pulse.rttMs, 80, 'an old ping');
    pulse.ponged(2);
    assert.equal(pulse.rttMs, 90);
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
