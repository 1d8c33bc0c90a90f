import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KnownRelays } from '../../../src/coordination/known-relays.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

describe('the relays of the last run', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-known-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('are none before there was one, and then those that were known last', async () => {
    const known = new KnownRelays(dir, silentLogger);
    assert.deepEqual(await known.load(), []);
    known.save(['one']);
    known.save(['two', 'one']);
    await known.stop();
    assert.deepEqual(await new KnownRelays(dir, silentLogger).load(), ['one', 'two']);
    assert.equal((await stat(join(dir, 'cluster-relays'))).mode & 0o777, 0o600);
  });

  it('are written only when they are others', async () => {
    const known = new KnownRelays(dir, silentLogger);
    known.save(['one', 'two']);
    await known.stop();
    await rm(join(dir, 'cluster-relays'));
    known.save(['two', 'one']);
    await known.stop();
    await assert.rejects(readFile(join(dir, 'cluster-relays')));
  });

  it('keep nobody from working where they cannot be written', async () => {
    const known = new KnownRelays(join(dir, 'missing'), silentLogger);
    known.save(['one']);
    await known.stop();
  });
});
