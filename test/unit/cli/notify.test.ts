import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNotify } from '../../../src/cli/notify.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

test('without a service manager nothing is sent', () => {
  createNotify({}, silentLogger)('ready');
  createNotify({ NOTIFY_SOCKET: '' }, silentLogger)('stopping');
});

test('states are sent in order, through systemd-notify, with its socket and without a shell', { timeout: 20_000 }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const out = join(dir, 'out');
  await writeFile(out, '');
  await writeFile(join(dir, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>"${out}"\n`, { mode: 0o755 });
  const notify = createNotify({ NOTIFY_SOCKET: '/run/x; rm', PATH: `${dir}:/usr/bin:/bin` }, silentLogger);
  const complete = Promise.withResolvers<string[]>();
  const watcher = watch(dir, () => void readLines().then((lines) => (lines.length === 4 ? complete.resolve(lines) : undefined), () => {}));
  t.after(() => watcher.close());
  const readLines = async (): Promise<string[]> => (await readFile(out, 'utf8')).split('\n').slice(0, -1);
  for (const state of ['ready', 'reloading', 'ready', 'stopping'] as const) notify(state);
  const lines = await complete.promise;
  assert.deepEqual(lines.map((line) => line.replace(/\d+$/, 'N')), ['/run/x; rm READY=N', '/run/x; rm RELOADING=1 MONOTONIC_USEC=N', '/run/x; rm READY=N', '/run/x; rm STOPPING=N']);
});

test('a machine without systemd-notify is no failure', async () => {
  createNotify({ NOTIFY_SOCKET: '/run/x', PATH: '/nonexistent' }, silentLogger)('ready');
});
