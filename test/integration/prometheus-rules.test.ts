import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { ALERT_CASES } from '../support/alert-cases.ts';
import type { AlertCase } from '../support/alert-cases.ts';
import { SCENES } from '../support/alerts/scenes/index.ts';
import { PROMETHEUS_CONFIGS, prometheusMissing, promtool, withTokenFile } from '../support/prometheus.ts';

interface Rule {
  alert: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const skip = prometheusMissing();
const read = (file: string): string => readFileSync(join(PROMETHEUS_CONFIGS, file), 'utf8');
const rules = (parse(read('alert-rules.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const names = rules.map(({ alert }) => alert).toSorted();

/** One case as `promtool test rules` wants it: how many alerts fire at each of its minutes. */
function unitTest({ alert, what, series, firing, quiet, count = 1 }: AlertCase): object {
  const expr = `count(ALERTS{alertname="${alert}", alertstate="firing"})`;
  const check = (minute: number, samples: object[]): object => ({ expr, eval_time: `${minute}m`, exp_samples: samples });
  return {
    name: `${alert}: ${what}`,
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [...firing.map((minute) => check(minute, [{ labels: '{}', value: count }])), ...quiet.map((minute) => check(minute, []))],
  };
}

describe('configs/prometheus', () => {
  it('has configurations and rules that promtool accepts', { skip }, () => {
    const dir = withTokenFile();
    try {
      for (const file of readdirSync(dir).filter((name) => name.endsWith('.yaml'))) {
        const { ok, text } = promtool('check', file.endsWith('-rules.yaml') ? 'rules' : 'config', join(dir, file));
        assert.ok(ok, text);
        assert.match(text, /SUCCESS/);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('has a severity, a summary, what to do and a section of the docs for each alert', () => {
    for (const { alert, labels, annotations } of rules) {
      assert.match(labels.severity, /^(critical|warning)$/, alert);
      assert.ok(annotations.summary.length > 10 && annotations.description.length > 60, alert);
      const [file = '', anchor] = annotations.runbook_url.split('#');
      assert.equal(anchor, alert.toLowerCase());
      assert.ok(existsSync(join(ROOT, file)) && readFileSync(join(ROOT, file), 'utf8').includes(`\n### ${alert}\n`), `${alert}: ${annotations.runbook_url}`);
    }
  });

  it('has no alert that is neither tried on series nor on running nodes', () => {
    assert.deepEqual([...new Set(ALERT_CASES.filter(({ firing }) => firing.length > 0).map(({ alert }) => alert))].toSorted(), names);
    assert.deepEqual([...new Set(SCENES.flatMap(({ alerts }) => alerts))].toSorted(), names);
  });

  it('has alerts that fire after their time, and only then', { skip, timeout: 120_000 }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'relayd-promtool-'));
    try {
      const file = join(dir, 'test.yaml');
      writeFileSync(file, stringify({ rule_files: ['recording-rules.yaml', 'alert-rules.yaml'].map((name) => join(PROMETHEUS_CONFIGS, name)), evaluation_interval: '1m', tests: ALERT_CASES.map(unitTest) }));
      const { ok, text } = promtool('test', 'rules', file);
      assert.ok(ok, text);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
