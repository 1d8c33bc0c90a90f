import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Reporter } from '../test/support/reporter.ts';
import { CHECKS } from './lib/checks.ts';
import type { Check } from './lib/checks.ts';
import { buildPeers } from './lib/peers.ts';
import { killAll } from './lib/processes.ts';
import { runTestFile } from './lib/run-file.ts';

/** The program behind `scripts/test`, which has set up Node and the packages and stands in the checkout. */

const USAGE = `usage: scripts/test [--no-checks] [--list] [FILTER…]

Runs every check and every test. With filters, only those whose name has one of them in it:
scripts/test unit/config, scripts/test check/lint, scripts/test reservations.`;

/** In the order in which they run; what measures times runs alone. */
const ROOMS = ['support', 'unit', 'conformance', 'integration', 'interop'] as const;
const ALONE = 'faults';
/** Rooms whose tests talk to peers in other languages. */
const NEEDS_PEERS = /^test\/(conformance|interop)\//;
const CONCURRENCY = 2;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'no-checks': { type: 'boolean' }, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const selected = (name: string): boolean => positionals.length === 0 || positionals.some((filter) => name.includes(filter));
  const checks = values['no-checks'] === true ? [] : CHECKS.filter((check) => selected(check.name));
  const together = ROOMS.flatMap(testFiles).filter(selected);
  const alone = testFiles(ALONE).filter(selected);
  if (values.list === true) {
    console.log([...checks.map((check) => check.name), ...together, ...alone].join('\n'));
    return 0;
  }
  if (checks.length + together.length + alone.length === 0) {
    console.error(`nothing is called ${positionals.join(' or ')}; scripts/test --list names what there is`);
    return 64;
  }
  return runAll(checks, together, alone);
}

function testFiles(room: string): string[] {
  return globSync(`test/${room}/**/*.test.ts`).toSorted();
}

async function runAll(checks: readonly Check[], together: readonly string[], alone: readonly string[]): Promise<number> {
  const reporter = new Reporter();
  endOnSignals(reporter);
  await inParallel(checks, CONCURRENCY, async (check) => reporter.add(await check.run()));
  if ([...together, ...alone].some((file) => NEEDS_PEERS.test(file))) {
    await buildPeers((report) => reporter.add(report));
  }
  const runFile = async (file: string): Promise<void> => reporter.add(await runTestFile(file));
  await inParallel(together, CONCURRENCY, runFile);
  await inParallel(alone, 1, runFile);
  const sums = reporter.finish();
  return sums.failed === 0 && sums.passed > 0 ? 0 : 1;
}

async function inParallel<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      await run(item);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Who waits no longer still gets the sums of what has run, with the interruption as a failure. */
function endOnSignals(reporter: Reporter): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll();
      const detail = `interrupted by ${signal}`;
      reporter.add({ title: 'the run', results: [{ name: 'to its end', outcome: 'failed', durationMs: 0, detail }], durationMs: 0, output: '' });
      reporter.finish();
      process.exit(1);
    });
  }
}

process.exitCode = await main();
