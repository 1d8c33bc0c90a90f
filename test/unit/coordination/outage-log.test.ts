import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { OutageLog } from '../../../src/coordination/outage-log.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

describe('the log of a store that is away', () => {
  let clock: ManualClock;
  let said: unknown[];
  let outages: OutageLog;

  beforeEach(() => {
    clock = new ManualClock();
    said = [];
    const say = (level: string) => (about: object) => void said.push({ level, ...about });
    outages = new OutageLog({ backend: 'redis', clock, log: { ...silentLogger, debug: say('debug'), info: say('info'), warn: say('warn') } });
  });

  it('warns once an outage, and says at its end how long it was', () => {
    outages.away('reset');
    clock.advance(1_000);
    outages.away('refused');
    clock.advance(500);
    outages.back();
    outages.away('refused');
    assert.deepEqual(said, [
      { level: 'warn', backend: 'redis', problem: 'reset' },
      { level: 'debug', backend: 'redis', problem: 'refused' },
      { level: 'info', backend: 'redis', awayMs: 1_500 },
      { level: 'warn', backend: 'redis', problem: 'refused' },
    ]);
  });

  it('has no duration of an outage that it did not see begin', () => {
    outages.back();
    outages.away('reset');
    outages.clear();
    outages.away('refused');
    assert.deepEqual(said, [{ level: 'info', backend: 'redis' }, { level: 'warn', backend: 'redis', problem: 'reset' }, { level: 'warn', backend: 'redis', problem: 'refused' }]);
  });
});
