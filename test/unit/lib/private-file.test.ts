import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { writePrivateFile } from '../../../src/lib/private-file.ts';
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
});
