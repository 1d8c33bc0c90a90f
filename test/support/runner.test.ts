import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runTestFile } from '../../scripts/lib/run-file.ts';
import { Reporter } from './reporter.ts';
import type { Report } from './reporter.ts';

/** What stands between a broken program and a green run: what `scripts/test` makes of a test file. */
describe('a test file', () => {
  let dir: string;

  before(async () => void (dir = await mkdtemp(join(tmpdir(), 'relayd-runner-'))));
  after(() => rm(dir, { recursive: true, force: true }));

  async function report(source: string): Promise<Report> {
    const file = join(dir, `${Math.random()}.test.ts`);
    await writeFile(file, source);
    return runTestFile(file);
  }

  async function outcomes(source: string): Promise<string[]> {
    return (await report(source)).results.map(({ name, outcome, reason }) => [outcome, name, reason].filter((part) => part !== undefined).join(' | '));
  }

  test('counts passed, failed, skipped and unfinished tests, with the names of their suites', async () => {
    const source = `import { describe, test } from 'node:test';
      test('fine', () => {});
      describe('suite', () => {
        test('wrong', () => { throw new Error('boom'); });
        test('elsewhere', { skip: 'needs root' }, () => {});
        test('later', { todo: true }, () => { throw new Error('not yet'); });
      });`;
    assert.deepEqual(await outcomes(source), ['passed | fine', 'failed | suite > wrong', 'skipped | suite > elsewhere | needs root', 'skipped | suite > later | still to do']);
  });

  test('fails when it has no test', async () => {
    assert.deepEqual(await outcomes('export {};'), ['failed | (the file)']);
  });

  test('fails when it cannot be loaded, and shows why', async () => {
    const { results, output } = await report(`import './missing.ts';`);
    assert.deepEqual(results.map(({ outcome }) => outcome), ['failed']);
    assert.match(output, /Cannot find module .*missing\.ts/);
  });

  test('fails when something throws after its tests', async () => {
    const { results, output } = await report(`import { test } from 'node:test'; test('fine', () => void process.on('beforeExit', () => { throw new Error('too late'); }));`);
    assert.deepEqual(results.map(({ name, outcome }) => `${outcome} ${name}`), ['passed fine', 'failed (the file)']);
    assert.match(output, /too late/);
  });

  test('fails when it is killed in the middle of what it says', async () => {
    const { results } = await report(`import { test } from 'node:test'; import { writeSync } from 'node:fs';
      test('fine', () => { writeSync(3, '{"kind":"resu'); process.kill(process.pid, 'SIGKILL'); });`);
    assert.deepEqual(results.map(({ outcome, detail }) => `${outcome}: ${detail}`), ['failed: the file ended with signal SIGKILL, outside its tests']);
  });

  test('fails when it leaves something open, and says what', async () => {
    const { results } = await report(`import { test } from 'node:test'; import { createServer } from 'node:net'; test('fine', () => void createServer().listen(0));`);
    assert.deepEqual(results.map(({ outcome }) => outcome), ['passed', 'failed']);
    assert.match(results[1]?.detail ?? '', /TCPServerWrap/);
  });

  test('leaves no process behind', async () => {
    const { output } = await report(`import { test } from 'node:test'; import { spawn } from 'node:child_process';
      test('fine', (t) => { const child = spawn('sleep', ['100'], { stdio: 'inherit' }); child.unref(); t.diagnostic('pid=' + child.pid + '.'); });`);
    const pid = Number(/pid=(\d+)\./.exec(output)?.[1]);
    assert.ok(pid > 0);
    assert.ok(await isGone(pid), `process ${pid} is still there`);
  });
});

/** Killed is not yet gone: the kernel takes a moment, and a zombie waits for its parent. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined || stat.includes(') Z ')) {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

test('the report ends with the sums alone, and names failures and the reasons of skips', () => {
  const lines: string[] = [];
  const reporter = new Reporter((text) => lines.push(...text.split('\n')));
  reporter.add({ title: 'one', durationMs: 10, output: '', results: [{ name: 'a', outcome: 'passed', durationMs: 5 }] });
  reporter.add({ title: 'two', durationMs: 2000, output: 'what it said', results: [
    { name: 'b', outcome: 'failed', durationMs: 1500, detail: 'why' },
    { name: 'c', outcome: 'skipped', durationMs: 0, reason: 'no go' },
  ] });
  assert.deepEqual(reporter.finish(), { passed: 1, failed: 1, skipped: 1 });
  assert.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  for (const line of ['ok   one: 1 passed, 0 failed (0.0 s)', '    why', '    what it said', '  1 because no go: c', '  two: b', '  1.5 s  two: b']) {
    assert.ok(lines.includes(line), `${line} in ${lines.join('\n')}`);
  }
});
