import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { clusterSecretProblem } from '../../../src/lib/secret-files.ts';

const OLD = `${'0d'.repeat(32)}\n`;
const NEW = `${'4e'.repeat(32)}\n`;
const BOTH_ORDERS = [OLD + NEW, NEW + OLD] as const;

const PAGE = readFileSync(new URL('../../../docs/tier3/README.md', import.meta.url), 'utf8');

/** The line of each step, as an operator copies it from the page. */
const STEPS = PAGE.slice(PAGE.indexOf('### Changing the secret')).split('```')[1]!.split('\n').filter((line) => line.includes('relayd reload'));

describe('the steps of docs/tier3 that change the secret of a cluster', () => {
  let dir: string;

  const write = (name: string, text: string, mode = 0o600): void => writeFileSync(join(dir, name), text, { mode });
  const secret = (): string => readFileSync(join(dir, 'cluster.secret'), 'utf8');
  const run = (step: number): boolean => {
    const path = `${dir}${delimiter}${process.env['PATH'] ?? ''}`;
    return spawnSync('sh', ['-c', STEPS[step]!], { cwd: dir, env: { ...process.env, PATH: path }, timeout: 20_000 }).status === 0;
  };

  /** In place of the command: whether a reload works is not what is looked at here. */
  const reloads = (works: boolean): void => {
    write('relayd', `#!/bin/sh\nexit ${works ? 0 : 1}\n`);
    chmodSync(join(dir, 'relayd'), 0o700);
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'relayd-steps-'));
    write('cluster.secret', OLD);
    write('new.secret', NEW);
    reloads(true);
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('make of the file what they say, however often, and leave its mode', () => {
    assert.equal(STEPS.length, 3);
    for (const [step, both] of BOTH_ORDERS.entries()) {
      assert.deepEqual([run(step), secret()], [true, both]);
      assert.deepEqual([run(step), secret()], [true, both]);
    }
    assert.deepEqual([run(2), secret(), existsSync(join(dir, 'new.secret'))], [true, NEW, false]);
    const path = join(dir, 'cluster.secret');
    assert.equal(clusterSecretProblem({ path, mode: statSync(path).mode, text: secret() }), undefined);
  });

  it('leave the secret as it is where the new one is missing', () => {
    rmSync(join(dir, 'new.secret'));
    for (const step of STEPS.keys()) assert.deepEqual([run(step), secret()], [false, OLD]);
  });

  it('keep the new one until it has been read', () => {
    reloads(false);
    assert.deepEqual([run(2), existsSync(join(dir, 'new.secret'))], [false, true]);
  });
});
