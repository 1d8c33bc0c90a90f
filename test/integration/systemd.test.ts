import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import { lacking } from '../support/programs.ts';

const UNITS = fileURLToPath(new URL('../../configs/systemd', import.meta.url));
const TIMEOUT_MS = 30_000;
/** systemd's own scale: 0 is closed, 10 open; up to 2 it calls OK. What is left is what a network daemon on V8 does. */
const MAX_EXPOSURE = 1.5;
/** With the drop-in for ports below 1024: one capability, and no user namespace. */
const MAX_EXPOSURE_443 = 1.8;

describe('the systemd unit', { skip: lacking('systemd-analyze') }, () => {
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-systemd-'));
    await copyFile(join(UNITS, 'relayd.service'), join(dir, 'relayd.service'));
  });

  after(() => rm(dir, { recursive: true, force: true }));

  test('is right, and leaves little exposed', async () => {
    await verify(join(dir, 'relayd.service'));
    assert.ok((await exposure(join(dir, 'relayd.service'))) <= MAX_EXPOSURE);
  });

  test('is so with the drop-in for port 443 too, which gives it that one capability', async () => {
    const file = join(dir, 'with-port', 'relayd.service');
    await mkdir(`${file}.d`, { recursive: true });
    await copyFile(join(UNITS, 'relayd.service'), file);
    await copyFile(join(UNITS, 'port-443.conf'), join(`${file}.d`, 'port-443.conf'));
    await verify(file);
    const score = await exposure(file);
    assert.ok(score > MAX_EXPOSURE && score <= MAX_EXPOSURE_443, String(score));
  });
});

describe('what the service files say', () => {
  test('the unit waits for the drain of every profile, and lets systemd-notify speak', async () => {
    const unit = await readFile(join(UNITS, 'relayd.service'), 'utf8');
    const seconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]);
    for (const profile of ['tier1', 'tier2']) {
      assert.ok(seconds * 1000 > assertConfig(loadConfig({ profile, env: {} })).drain.timeoutMs);
    }
    assert.match(unit, /^Type=notify$/m);
    assert.match(unit, /^NotifyAccess=all$/m);
    assert.match(unit, /^StateDirectory=relayd$/m);
  });

  test('the settings that the environment file offers are right', async () => {
    const lines = (await readFile(join(UNITS, 'relayd.default'), 'utf8')).split('\n').filter((line) => line.startsWith('#RELAYD_'));
    assert.notEqual(lines.length, 0);
    assertConfig(loadConfig({ env: Object.fromEntries(lines.map((line) => line.slice(1).split(/=(.*)/s, 2))) }));
  });
});

async function verify(unit: string): Promise<void> {
  const { exit, output } = await runCommand('systemd-analyze', ['verify', '--man=no', unit], { timeoutMs: TIMEOUT_MS });
  assert.deepEqual([exit, output], ['exit code 0', '']);
}

async function exposure(unit: string): Promise<number> {
  const { output } = await runCommand('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], { timeoutMs: TIMEOUT_MS });
  const score = /Overall exposure level for relayd\.service: ([\d.]+) /.exec(output)?.[1];
  assert.ok(score !== undefined, output);
  return Number(score);
}

describe('the user and the folders of the service', { skip: process.getuid?.() === 0 ? lacking('systemd-sysusers', 'systemd-tmpfiles') : 'this needs root' }, () => {
  test('are made in a new system, and again without a change', async (t) => {
    const root = await mkdtemp(join(tmpdir(), 'relayd-system-'));
    t.after(() => rm(root, { recursive: true, force: true }));
    for (const kind of ['sysusers', 'tmpfiles']) {
      await mkdir(join(root, `etc/${kind}.d`), { recursive: true });
      await copyFile(join(UNITS, `relayd.${kind}.conf`), join(root, `etc/${kind}.d/relayd.conf`));
    }
    await writeFile(join(root, 'etc/passwd'), '');
    await writeFile(join(root, 'etc/group'), '');
    for (const _time of ['the first', 'the second']) {
      await succeed('systemd-sysusers', [`--root=${root}`]);
      await succeed('systemd-tmpfiles', [`--root=${root}`, '--create']);
    }
    const [, name, uid, gid] = /^(relayd):x:(\d+):(\d+):.*:\/var\/lib\/relayd:\/usr\/sbin\/nologin$/m.exec(await readFile(join(root, 'etc/passwd'), 'utf8')) ?? [];
    assert.equal(name, 'relayd');
    const state = await stat(join(root, 'var/lib/relayd'));
    assert.deepEqual([state.uid, state.gid, state.mode & 0o777], [Number(uid), Number(gid), 0o700]);
    const config = await stat(join(root, 'etc/relayd'));
    assert.deepEqual([config.uid, config.mode & 0o777], [0, 0o755]);
  });
});

async function succeed(command: string, args: readonly string[]): Promise<void> {
  const { exit, output } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS });
  assert.equal(exit, 'exit code 0', output);
}
