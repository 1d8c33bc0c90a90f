import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { ask, post, startServer, tempDir } from '../unit/admin/server-helpers.ts';

test('it serves on a unix socket of mode 0600 and removes it', async (t) => {
  const dir = await tempDir(t);
  const socketPath = join(dir, 'admin.sock');
  const before = process.umask();
  const { server, url } = await startServer(t, { config: { listen: { socketPath }, tokenFile: undefined } });
  assert.equal(process.umask(), before);
  assert.equal(url, `unix:${socketPath}`);
  assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
  assert.equal((await ask(url, '/api/v1/status', { headers: { host: 'whatever' } })).status, 200);
  assert.equal((await post(url, '/api/v1/reload', undefined, {})).status, 401);
  assert.equal((await post(url, '/api/v1/reload')).status, 200);
  await server.stop();
  await assert.rejects(access(socketPath), { code: 'ENOENT' });
  await server.start();
  assert.equal((await ask(url, '/livez')).status, 200);
});

test('a socket that another process listens on is left alone', async (t) => {
  const dir = await tempDir(t);
  const socketPath = join(dir, 'admin.sock');
  const other = createServer((socket) => socket.destroy()).listen(socketPath);
  await once(other, 'listening');
  t.after(() => other.close());
  await assert.rejects(startServer(t, { config: { listen: { socketPath }, tokenFile: undefined } }), { code: 'ADDRESS_IN_USE', message: /admin\.listen: another process listens on unix:/ });
  await access(socketPath);
});

test('a socket whose process was killed is replaced', { timeout: 20_000 }, async (t) => {
  const dir = await tempDir(t);
  const socketPath = join(dir, 'admin.sock');
  const child = spawn(process.execPath, ['-e', `require('node:net').createServer().listen(process.argv[1], () => console.log('up'))`, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await access(socketPath);
  const { url } = await startServer(t, { config: { listen: { socketPath }, tokenFile: undefined } });
  assert.equal((await ask(url, '/livez')).status, 200);
});

test('a file that is not a socket, and a path that no socket can have, are refused', async (t) => {
  const dir = await tempDir(t);
  const socketPath = join(dir, 'notes.txt');
  await writeFile(socketPath, 'keep me');
  await assert.rejects(startServer(t, { config: { listen: { socketPath }, tokenFile: undefined } }), { code: 'ADDRESS_IN_USE', message: /not a socket/ });
  assert.equal((await stat(socketPath)).size, 7);
  const long = join(dir, 'x'.repeat(120));
  await assert.rejects(startServer(t, { config: { listen: { socketPath: long }, tokenFile: undefined } }), { code: 'ADDRESS_UNAVAILABLE', message: /longer/ });
  await assert.rejects(startServer(t, { config: { listen: { socketPath: join(dir, 'no', 'such', 'dir') }, tokenFile: undefined } }), { code: 'ADDRESS_UNAVAILABLE' });
});
