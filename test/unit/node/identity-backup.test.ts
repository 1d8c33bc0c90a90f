import assert from 'node:assert/strict';
import { link, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RelaydError } from '../../../src/lib/errors.ts';
import { backUpIdentity, readBackupRecord } from '../../../src/node/identity-backup.ts';
import { ensureIdentity } from '../../../src/node/identity.ts';
import { tempDir } from '../admin/server-helpers.ts';

describe('a copy of the identity key', () => {
  it('is none when it is the key itself, whatever that is called', async (t) => {
    const dataDir = await tempDir(t);
    const keyFile = join(dataDir, 'identity.key');
    await ensureIdentity(keyFile);
    await symlink(keyFile, join(dataDir, 'symlink'));
    await link(keyFile, join(dataDir, 'hardlink'));
    for (const name of ['identity.key', 'symlink', 'hardlink']) {
      await assert.rejects(backUpIdentity(keyFile, dataDir, join(dataDir, name)), (error: unknown) => error instanceof RelaydError && error.code === 'FILE_UNWRITABLE' && error.message.includes('is the key itself'));
    }
    for (const name of ['/dev/zero', dataDir]) {
      await assert.rejects(backUpIdentity(keyFile, dataDir, name), /is not a file; name a new one/);
    }
    assert.equal(await readBackupRecord(dataDir), undefined);
    await backUpIdentity(keyFile, dataDir, join(dataDir, 'copy'));
    await backUpIdentity(keyFile, dataDir, join(dataDir, 'copy'));
    assert.deepEqual(await readFile(join(dataDir, 'copy')), await readFile(keyFile));
    assert.equal((await readBackupRecord(dataDir))?.file, join(dataDir, 'copy'));
  });
});
