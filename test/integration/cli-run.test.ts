import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempDir } from '../unit/admin/server-helpers.ts';
import { cli, spawnCli } from '../unit/cli/run-cli.ts';
import type { SpawnedCli } from '../unit/cli/run-cli.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const LOCAL = ['--set', 'network.listen=[/ip4/127.0.0.1/tcp/0]', '--set', 'network.allowPrivate=true', '--set', 'admin.listen=127.0.0.1:0'];

function events(stdout: string): (string | undefined)[] {
  return stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { event?: string }).event);
}

describe('run', { timeout: 60_000 }, () => {
  test('serves, says so in exactly one line, and drains on SIGTERM', async (t) => {
    const dataDir = await tempDir(t);
    const child = spawnCli(t, ['run', ...LOCAL, '--set', `dataDir=${dataDir}`]);
    const ready = await child.untilEvent('ready');
    assert.equal(ready['pid'], child.pid);
    assert.deepEqual([ready['profile'], ready['role']], ['tier1', 'relay']);
    const [addr] = ready['addrs'] as string[];
    assert.match(addr ?? '', new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/[1-9]\\d*/p2p/${String(ready['peerId'])}$`));
    const status = (await (await fetch(`${String(ready['admin'])}/api/v1/status`)).json()) as Record<string, unknown>;
    assert.deepEqual([status['peerId'], status['state']], [ready['peerId'], 'ready']);
    assert.equal((await stat(join(dataDir, 'admin.json'))).mode & 0o777, 0o600);
    assert.equal((await cli(['key', 'show', '--set', `dataDir=${dataDir}`])).stdout, `${String(ready['peerId'])}\n`);
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await child.result;
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(events(stdout), ['ready', 'signal', 'stopped']);
    assert.deepEqual(await readdir(dataDir), ['identity.key']);
  });

  for (const [signal, file] of [['SIGTERM', 'cli/index.ts'], ['SIGINT', 'node/index.ts']] as const) {
    test(`${signal} while ${file} is still to be loaded is a clean stop`, async (t) => {
      const dataDir = await tempDir(t);
      // The process itself sends the signal, at the moment when it looks for that file.
      const preload = `import { registerHooks } from 'node:module'; registerHooks({ resolve(name, context, next) { if (name.endsWith('${file}')) process.kill(process.pid, '${signal}'); return next(name, context); } });`;
      const child = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, MAIN, 'run', ...LOCAL, '--set', `dataDir=${dataDir}`], { stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => child.kill('SIGKILL'));
      const [text, exit] = await Promise.all([child.stdout.setEncoding('utf8').toArray(), once(child, 'exit')]);
      assert.deepEqual(exit, [0, null]);
      assert.doesNotMatch(text.join(''), /"ready"/);
    });
  }

  test('ends when it is drained over the API', async (t) => {
    const dataDir = await tempDir(t);
    const child = spawnCli(t, ['run', ...LOCAL, '--set', `dataDir=${dataDir}`]);
    await child.untilEvent('ready');
    const drained = await cli(['drain', '--set', `dataDir=${dataDir}`]);
    assert.deepEqual([drained.code, drained.stderr], [0, '']);
    assert.equal((await child.result).code, 0);
  });

  test('SIGHUP reloads, and keeps the old config when the new one is wrong', async (t) => {
    const dataDir = await tempDir(t);
    const config = join(dataDir, 'relay.yaml');
    const text = `dataDir: ${dataDir}\n`;
    await writeFile(config, text);
    const child = spawnCli(t, ['run', ...LOCAL, '--config', config]);
    await child.untilEvent('ready');
    assert.deepEqual(await reloaded(child, config, `${text}drain: {timeout: 5s}\n`, 'reloaded'), [['drain.timeout'], []]);
    assert.deepEqual(await reloaded(child, config, `${text}profile: tier2\ndrain: {timeout: 5s}\n`, 'reloaded').then(([changed, restart]) => [changed, (restart as string[]).includes('profile') && (restart as string[]).includes('connections.max')]), [[], true]);
    assert.deepEqual(await reloaded(child, config, `${text}drain: {timeout: 5s}\n`, 'reloaded'), [[], []], 'nothing of the other profile applied');
    const [error] = await reloaded(child, config, `${text}drian: {}\n`, 'reload-failed');
    assert.match(String(error), /drian/);
    child.kill('SIGTERM');
    assert.equal((await child.result).code, 0);
  });

  test('a start that fails is one line with what to do, and exit 1', async (t) => {
    const dataDir = await tempDir(t);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const { code, stdout, stderr } = await spawnCli(t, ['run', ...LOCAL, '--set', `dataDir=${dataDir}`, '--set', `admin.listen=127.0.0.1:${port}`]).result;
    assert.equal(code, 1);
    assert.ok(!stdout.includes('"ready"'));
    assert.match(stderr, new RegExp(`^relayd: admin\\.listen: another process listens on 127\\.0\\.0\\.1:${port}; stop that one.*\\(ADDRESS_IN_USE\\)\n$`));
    assert.deepEqual(await readdir(dataDir), ['identity.key']);
  });
});

async function reloaded(child: SpawnedCli, config: string, text: string, event: string): Promise<unknown[]> {
  await writeFile(config, text);
  child.kill('SIGHUP');
  const line = await child.untilEvent(event);
  return event === 'reloaded' ? [line['changed'], line['restartNeeded']] : [line['error']];
}
