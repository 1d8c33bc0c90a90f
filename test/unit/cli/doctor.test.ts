import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { tempDir } from '../admin/server-helpers.ts';
import { cli } from './run-cli.ts';

describe('relayd doctor', () => {
  it('takes no password of Prometheus, and does not repeat it', async () => {
    const { code, stdout, stderr } = await cli(['doctor', '--file-only', '--prometheus', 'http://anna:quiet@127.0.0.1:1']);
    assert.deepEqual([code, stdout], [64, '']);
    assert.match(stderr, /--prometheus: it needs the form http:\/\/host:port/);
    assert.doesNotMatch(stderr, /quiet/);
  });

  it('says that a data directory is none', async (t) => {
    const file = join(await tempDir(t), 'file');
    await writeFile(file, '');
    const { code, stdout } = await cli(['doctor', '--file-only', '--json', '--set', `dataDir=${file}`]);
    const item = (JSON.parse(stdout) as { item: string; status: string; reason: string }[]).find((one) => one.item === 'data-dir');
    assert.deepEqual([code, item?.status, item?.reason], [1, 'failed', `${file} cannot be written to: it is not a folder`]);
  });
});
