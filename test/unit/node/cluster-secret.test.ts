import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { RelaydError } from '../../../src/lib/errors.ts';
import { readClusterSecrets } from '../../../src/node/cluster-secret.ts';

describe('the secret of a cluster', () => {
  const SECRET = 'a7'.repeat(32);
  let dir: string;
  let file: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-secret-'));
    file = join(dir, 'secret');
    await writeFile(file, `${SECRET}\n`, { mode: 0o600 });
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  const refused = (what: RegExp): Promise<void> => assert.rejects(readClusterSecrets(file), (error) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && what.test(error.message) && !error.message.includes(SECRET));

  it('is read from a file that is its owner\'s alone', async () => {
    assert.deepEqual(await readClusterSecrets(file), [SECRET]);
    await chmod(file, 0o640);
    await refused(/0640/);
  });

  it('is 64 hex digits, and never shown', async () => {
    await writeFile(file, `${SECRET}00`);
    await refused(/64 hex digits/);
    await rm(file);
    await refused(/cannot be read/);
  });

  it('is two of them, in order and in one form, while it is changed; no more, and a fault is named with its line', async () => {
    const other = 'C3'.repeat(32);
    await writeFile(file, `${other}\r\n${SECRET}`);
    assert.deepEqual(await readClusterSecrets(file), [other.toLowerCase(), SECRET]);
    await writeFile(file, `${other}\n${SECRET}\n${'11'.repeat(32)}\n`);
    await refused(new RegExp(`^coordination\\.secretFile: ${file}:3 is one secret too many; at most 2`));
  });

  it('is asked for where none is named', async () => {
    await assert.rejects(readClusterSecrets(undefined), /coordination\.secretFile is not set/);
  });
});
