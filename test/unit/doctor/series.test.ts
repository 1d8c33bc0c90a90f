import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Counter, Registry } from 'prom-client';
import { parseSeries, total } from '../../../src/doctor/series.ts';

describe('series of a daemon', () => {
  it('are read as they are served, labels with quotes and commas too', async () => {
    const registry = new Registry();
    const counter = new Counter({ name: 'refusals_total', help: 'a {strange} text', labelNames: ['limit', 'class'], registers: [registry] });
    counter.inc({ limit: 'a "b", {c}', class: 'public' }, 2);
    counter.inc({ limit: 'event loop', class: 'public' }, 3);
    counter.inc({ limit: 'event loop', class: 'member' }, 1.5);
    const series = parseSeries(await registry.metrics());
    assert.deepEqual(series[0], { name: 'refusals_total', labels: { limit: 'a \\"b\\", {c}', class: 'public' }, value: 2 });
    assert.equal(total(series, 'refusals_total', { limit: 'event loop' }), 4.5);
    assert.equal(total(series, 'refusals_total'), 6.5);
    assert.equal(total(series, 'refusals'), 0);
  });
});
