import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Absences } from '../../../../src/coordination/links/absences.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import type { Logger } from '../../../../src/lib/logger.ts';

interface Line {
  readonly relay: string;
  readonly error: string;
}

describe('relays that there is no link to', () => {
  let clock: ManualClock;
  let lines: Line[];
  let absences: Absences;

  beforeEach(() => {
    clock = new ManualClock();
    lines = [];
    absences = new Absences(clock, { warn: (line: Line) => void lines.push(line) } as unknown as Logger);
  });

  const failFor = (ms: number, why: Error = new Error('refused by its port'), peer = 'a'): void => {
    for (let passed = 0; passed <= ms; passed += 1_000) {
      absences.failed(peer, why);
      clock.advance(1_000);
    }
  };
  const forbidden = new RelaydError('FORBIDDEN', 'another secret');

  it('are warned of after ten seconds, once, with the last reason', () => {
    failFor(9_000);
    assert.deepEqual(lines, []);
    failFor(0, new Error('no route'));
    assert.deepEqual(lines.map(({ relay, error }) => [relay, error]), [['a', 'no route']]);
    failFor(600_000);
    assert.equal(lines.length, 1);
    failFor(20_000, undefined, 'b');
    assert.deepEqual(lines.map(({ relay }) => relay), ['a', 'b'], 'each for itself');
  });

  it('are warned of once a minute at most when they come and go', () => {
    for (let i = 0; i < 5; i++) {
      failFor(14_000);
      absences.met('a');
    }
    assert.equal(lines.length, 2, 'at 10 s and in the fifth absence');
  });

  it('are warned of at once where the secret differs, and it is known for a while', () => {
    absences.failed('a', forbidden);
    assert.deepEqual([lines.length, absences.isRefused('a'), absences.isRefused('b')], [1, true, false]);
    failFor(20_000, new Error('too many handshakes'));
    assert.deepEqual([lines.length, absences.isRefused('a')], [1, true], 'a reset after it says nothing else');
    failFor(60_000);
    assert.deepEqual([lines.length, absences.isRefused('a')], [2, false], 'it is another matter now');
    absences.failed('a', forbidden);
    absences.met('a');
    assert.equal(absences.isRefused('a'), false);
  });

  it('are forgotten when they are not wanted any more', () => {
    failFor(5_000);
    absences.keep((peer) => peer !== 'a');
    failFor(9_000);
    assert.deepEqual(lines, []);
  });
});
