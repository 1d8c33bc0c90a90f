import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { INTERVAL_MS, PROMETHEUS_CONFIGS } from '../prometheus.ts';
import type { Outcome } from './run.ts';

const PAGE = fileURLToPath(new URL('../../../docs/monitoring/figures.md', import.meta.url));

/** Writes docs/monitoring/figures.md from what has been measured. */
export function writeFiguresPage(outcomes: readonly Outcome[]): void {
  writeFileSync(PAGE, `${head()}${outcomes.flatMap((outcome) => rowsOf(outcome, waits())).join('\n')}\n`);
}

function head(): string {
  return `<!-- made by \`scripts/alerts --docs\`: do not edit -->
# How long each alert takes

A real Prometheus scrapes real nodes, the thing is really done to them, and really mended. The rules are those of configs/prometheus with every minute made a second
(\`for:\` and the ranges of the selectors), scraped and evaluated every ${INTERVAL_MS} ms: \`scripts/alerts\` does it. **waits** is the \`for:\` of the file; to know what to expect of the real rules,
take it in place of its 60th part, and add up to two intervals of Prometheus (15 s each by default). An alert over a rate of 5 minutes takes up to 5 minutes more to
resolve. What a node takes by itself is as it always is: readiness is checked every 15 s, the event loop is seen over 5 to 10 s, certificate files are looked at every 5 s.
Measured on ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}, on a machine that did other things too.

| alert | waits | what was done, and what mended it | fired after | resolved after |
|---|---|---|---|---|
`;
}

function rowsOf({ name, measured, skipped, error }: Outcome, forOf: ReadonlyMap<string, string>): string[] {
  if (skipped !== undefined) return [`| | | ${name}: skipped: ${skipped} | | |`];
  if (error !== undefined) return [`| | | ${name}: FAILED: ${error} | | |`];
  return measured.map(({ alert, what, firedSeconds, resolvedSeconds }) => `| [${alert}](alerts.md#${alert.toLowerCase()}) | ${forOf.get(alert) ?? '0'} | ${what} | ${firedSeconds.toFixed(1)} s | ${resolvedSeconds.toFixed(1)} s |`);
}

/** The `for:` of each alert, as the file has it. */
function waits(): Map<string, string> {
  const { groups } = parse(readFileSync(join(PROMETHEUS_CONFIGS, 'alert-rules.yaml'), 'utf8')) as { groups: { rules: { alert: string; for?: string }[] }[] };
  return new Map(groups.flatMap(({ rules }) => rules.map((rule) => [rule.alert, rule.for ?? '0'])));
}
