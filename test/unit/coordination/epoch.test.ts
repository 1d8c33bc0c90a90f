import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { nextEpoch } from '../../../src/coordination/epoch.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

describe('the number of a run', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-epoch-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('is the wall clock in the first run, and is kept for the owner alone', async () => {
    assert.equal(await nextEpoch(dir, 1_700_000_000_000.5), 1_700_000_000_000);
    assert.equal(await readFile(join(dir, 'cluster-epoch'), 'utf8'), '1700000000000\n');
    assert.equal((await stat(join(dir, 'cluster-epoch'))).mode & 0o777, 0o600);
  });

  it('grows though the clock was set back, and though two runs begin in one millisecond', async () => {
    await nextEpoch(dir, 2_000);
    assert.equal(await nextEpoch(dir, 2_000), 2_001);
    assert.equal(await nextEpoch(dir, 10), 2_002);
    assert.equal(await nextEpoch(dir, 5_000), 5_000);
  });

  it('is not guessed where the file is damaged', async () => {
    for (const text of ['yesterday', '1e300', '-4', String(2 ** 50)]) {
      await writeFile(join(dir, 'cluster-epoch'), text);
      await assert.rejects(nextEpoch(dir, 1_000), (error) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE');
      assert.equal(await readFile(join(dir, 'cluster-epoch'), 'utf8'), text);
    }
  });

  it('is not used before it is kept', async () => {
    await assert.rejects(nextEpoch(join(dir, 'missing'), 1_000), (error) => error instanceof RelaydError && error.code === 'FILE_UNWRITABLE');
  });
});
