import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeDir } from '../../../src/lib/make-dir.ts';

describe('makeDir', () => {
  it('makes folders that share parents at the same time', async () => {
    const root = await mkdtemp(join(tmpdir(), 'relayd-make-dir-'));
    try {
      for (let round = 0; round < 20; round++) {
        const dirs = Array.from({ length: 50 }, (_, i) => join(root, String(round), 'a', 'b', String(i)));
        await Promise.all(dirs.map((dir) => makeDir(dir, 0o700)));
        for (const dir of dirs) assert.equal((await stat(dir)).mode & 0o777, 0o700);
      }
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it('says so where no folder can be made', async () => {
    await assert.rejects(makeDir('/proc/none/of/these', 0o700), { code: 'ENOENT' });
  });
});
