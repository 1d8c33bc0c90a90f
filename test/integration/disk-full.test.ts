import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WirePeer } from '../support/wire-peer.ts';
import { tempDir } from '../unit/admin/server-helpers.ts';

/** A daemon that was killed starts again where the disk has no byte left, and relays. */

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A mount that only the process sees which asked for it: needs user namespaces, or root. */
const IN_NAMESPACE = ['-rm', 'sh', '-euc'];
const canMount = spawnSync('unshare', [...IN_NAMESPACE, 'mount -t tmpfs tmpfs /mnt']).status === 0;

/** $1: where; the rest: relayd. The identity and what a killed daemon leaves are there before the disk is filled. */
const SCRIPT = `
dir=$1; shift
mount -t tmpfs -o size=64k tmpfs "$dir"
"$@" key new >/dev/null
ln -s 4194305:1 "$dir/lock"
echo '{"url":"http://127.0.0.1:1","token":"of-the-killed-daemon","pid":4194305}' > "$dir/admin.json"
chmod 600 "$dir/admin.json"
cat /dev/zero > "$dir/filler" 2>/dev/null || true
exec "$@" run
`;

interface Line {
  event?: string;
  addrs: string[];
  admin: string;
}

test('a full disk is said and keeps nothing from serving', { timeout: 120_000, skip: canMount ? false : 'no file system can be mounted here' }, async (t) => {
  const dir = await tempDir(t);
  const settings = ['network.listen=[/ip4/127.0.0.1/tcp/0]', 'network.allowPrivate=true', 'admin.listen=127.0.0.1:0', 'log.format=json', `dataDir=${dir}`].flatMap((setting) => ['--set', setting]);
  const child = spawn('unshare', [...IN_NAMESPACE, SCRIPT, 'sh', dir, process.execPath, MAIN, ...settings], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines: Line[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    lines.push(JSON.parse(text) as Line);
    if (lines.at(-1)?.event === 'ready') break;
  }
  const ready = lines.at(-1);
  assert.ok(ready !== undefined && lines.some(({ event }) => event === 'admin-file-missing'), JSON.stringify(lines));
  assert.equal((await fetch(`${ready.admin}/readyz`)).status, 200);
  const peer = await WirePeer.start();
  await peer.connect(ready.addrs[0] ?? '');
  assert.equal((await peer.reserve()).status, 100);
  await peer.stop();
  child.stdout.resume();
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
