import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SCENE_MS, runScene } from '../support/alerts/run.ts';
import { hasten } from '../support/alerts/hasten.ts';
import { SCENES } from '../support/alerts/scenes/index.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';

/**
 * Alerts that fire when the thing is really done to running nodes, and resolve when it is mended. These scenes are the quick ones; `scripts/alerts` runs
 * all, and docs/monitoring/figures.md has their times.
 */
const QUICK = ['only-relay', 'reservations', 'client-down'];

const skip = prometheusMissing();

describe('alerts on running nodes', { skip }, () => {
  let prometheus: Prometheus;

  before(async () => {
    prometheus = await Prometheus.start();
  });

  after(() => prometheus?.stop());

  for (const scene of SCENES.filter(({ name }) => QUICK.includes(name))) {
    it(`${scene.alerts.join(' and ')}: ${scene.title}`, { timeout: SCENE_MS }, async () => {
      const { measured, error, skipped } = await runScene(prometheus, scene);
      assert.equal(error ?? skipped, undefined);
      assert.deepEqual(measured.map(({ alert }) => alert).toSorted(), scene.alerts.toSorted());
    });
  }
});

describe('the hastened rules', () => {
  it('take a second where the file has a minute, in waits and ranges, and are the same otherwise', () => {
    const rule = 'for: 10m\nexpr: rate(x_rate5m[5m]) > 10 # 3m\n';
    assert.equal(hasten(rule), 'for: 10s\nexpr: rate(x_rate5m[5s]) > 10 # 3m\n');
  });
});
