import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createPrivateFile, writePrivateFile } from '../../../src/lib/private-file.ts';
import { tempDir } from '../admin/server-helpers.ts';

describe('a private file', () => {
  it('takes the place of the one before, and is readable by its owner alone', async (t) => {
    const path = join(await tempDir(t), 'file');
    await writeFile(path, 'old', { mode: 0o644 });
    await writePrivateFile(path, 'new');
    assert.equal(await readFile(path, 'utf8'), 'new');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it('that cannot be put in its place leaves no draft behind', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'file', 'in the way'), { recursive: true });
    await assert.rejects(writePrivateFile(join(dir, 'file'), 'new'));
    assert.deepEqual(await readdir(dir), ['file']);
  });

  it('that is to be new never takes the place of one that is there, however many try at once', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'file');
    const tries = await Promise.allSettled(['a', 'b', 'c'].map((text) => createPrivateFile(path, text)));
    const [winner] = tries.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    assert.deepEqual(tries.flatMap((attempt) => (attempt.status === 'rejected' ? [(attempt.reason as NodeJS.ErrnoException).code] : [])), ['EEXIST', 'EEXIST']);
    assert.equal(await readFile(path, 'utf8'), ['a', 'b', 'c'][winner ?? -1]);
    assert.deepEqual([(await stat(path)).mode & 0o777, await readdir(dir)], [0o600, ['file']]);
  });
});
