import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { lockDir } from '../../../src/lib/dir-lock.ts';
import type { DirLock } from '../../../src/lib/dir-lock.ts';

describe('the lock of a folder', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-lock-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const take = async (): Promise<DirLock> => {
    const lock = await lockDir(dir);
    assert.ok(typeof lock === 'object', `held by ${String(lock)}`);
    return lock;
  };
  const lockedBy = (text: string): Promise<void> => symlink(text, join(dir, 'lock'));

  it('is had by one at a time, and by the next after it is let go', async () => {
    const first = await take();
    assert.equal(await lockDir(dir), process.pid);
    await first.release();
    assert.deepEqual(await readdir(dir), []);
    await (await take()).release();
  });

  it('is had by one of many that come at once, also where a dead process has left its own', async () => {
    for (let i = 0; i < 10; i++) {
      await lockedBy('4194305:1');
      const locks = await Promise.all(Array.from({ length: 10 }, () => lockDir(dir)));
      const had = locks.filter((lock) => typeof lock === 'object');
      assert.equal(had.length, 1);
      await had[0]?.release();
      assert.deepEqual(await readdir(dir), []);
    }
  });

  it('is another living process\'s until that is killed', async () => {
    const other = spawn(process.execPath, ['--input-type=module', '-e', `import { lockDir } from ${JSON.stringify(new URL('../../../src/lib/dir-lock.ts', import.meta.url).href)}; await lockDir(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1000);`], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    assert.equal(await lockDir(dir), other.pid);
    other.kill('SIGKILL');
    await once(other, 'exit');
    await take();
    assert.match(await readlink(join(dir, 'lock')), new RegExp(`^${process.pid}:`));
  });

  it('is not held by a process that has only the id of the one that is gone', { skip: process.platform === 'linux' ? false : 'no /proc' }, async () => {
    await lockedBy(`${process.ppid}:1`);
    await take();
  });

  it('stays when it is another\'s by the time it is let go', async () => {
    const lock = await take();
    await rm(join(dir, 'lock'));
    await lockedBy('4194305:1');
    await lock.release();
    assert.equal(await readlink(join(dir, 'lock')), '4194305:1');
  });

  it('does not touch a file of that name that is none', async () => {
    await writeFile(join(dir, 'lock'), 'mine');
    await assert.rejects(lockDir(dir));
    await rm(join(dir, 'lock'));
    await lockedBy('somewhere');
    await assert.rejects(lockDir(dir), /is not a lock of relayd/);
    assert.deepEqual(await readdir(dir), ['lock']);
  });
});
