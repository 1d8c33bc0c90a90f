import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Scrapes } from '../../../src/admin/scrapes.ts';
import { ManualClock } from '../../../src/lib/clock.ts';

describe('the time of the last collection of metrics', () => {
  it('counts from a scraper\'s reading, and not from a person\'s or a command\'s', () => {
    const clock = new ManualClock();
    const scrapes = new Scrapes(clock);
    assert.equal(scrapes.secondsAgo, null);
    scrapes.read('*/*');
    scrapes.read('application/json');
    assert.equal(scrapes.secondsAgo, null);
    scrapes.read('application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1');
    clock.advance(61_000);
    assert.equal(scrapes.secondsAgo, 61);
    scrapes.read('*/*');
    assert.equal(scrapes.secondsAgo, 61);
    scrapes.read('text/plain;version=0.0.4;q=1,*/*;q=0.1');
    assert.equal(scrapes.secondsAgo, 0);
  });
});
