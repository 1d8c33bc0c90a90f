import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KnownRelays } from '../../../src/coordination/known-relays.ts';
import type { RememberedRelay } from '../../../src/coordination/relay-memory.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled, until } from '../../support/waiting.ts';

const ONE: RememberedRelay = { peer: 'one', epoch: 7, sequence: 3, mayBeAtWork: true };
const TWO: RememberedRelay = { peer: 'two', epoch: 8, sequence: 1, mayBeAtWork: false };

describe('the relays of the last run', () => {
  let dir: string;
  let clock: ManualClock;
  let known: KnownRelays;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-known-'));
    clock = new ManualClock();
    known = make();
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  const make = (dataDir = dir): KnownRelays => new KnownRelays(dataDir, clock, silentLogger);
  const file = (): string => join(dir, 'cluster-relays');

  it('are none before there was one, and then those that were known last, with their newest numbers', async () => {
    assert.deepEqual(await known.load(), []);
    known.save([ONE]);
    known.save([TWO, ONE]);
    await known.stop([TWO, { ...ONE, sequence: 4 }]);
    assert.deepEqual(await make().load(), [{ ...ONE, sequence: 4 }, TWO]);
    assert.equal((await stat(file())).mode & 0o777, 0o600);
  });

  it('are read from a file without numbers, and from one that is not as it was written', async () => {
    await writeFile(file(), `one\ntwo x -3\nthree ${Number.MAX_SAFE_INTEGER} 5\n`);
    const unheard = { epoch: 0, sequence: 0, mayBeAtWork: true };
    assert.deepEqual(await known.load(), ['one', 'two', 'three'].map((peer) => ({ peer, ...unheard })), 'nor does one of a run that no clock has made shut its relay out');
  });

  it('are written when there is another, another run or one that is gone, but for their numbers alone once a minute at most', async () => {
    const inFile = async (): Promise<string> => readFile(file(), 'utf8').catch(() => '');
    const saved = async (relays: readonly RememberedRelay[], text: string): Promise<void> => {
      known.save(relays);
      await until(async () => (await inFile()) === text, `${text} is written`);
    };
    await saved([ONE], 'one 7 3\n');
    known.save([{ ...ONE, sequence: 4 }]);
    clock.advance(59_999);
    known.save([{ ...ONE, sequence: 5 }]);
    await settled();
    assert.equal(await inFile(), 'one 7 3\n');
    clock.advance(1);
    await saved([{ ...ONE, sequence: 6 }], 'one 7 6\n');
    await saved([{ ...ONE, epoch: 8, sequence: 1 }], 'one 8 1\n');
    await saved([{ ...ONE, mayBeAtWork: false }], 'one 7 3 gone\n');
    await saved([ONE, TWO], 'one 7 3\ntwo 8 1 gone\n');
    await rm(file());
    known.save([TWO, ONE]);
    await known.stop([TWO, ONE]);
    assert.equal(await inFile(), '', 'the same again is not written');
  });

  it('keep nobody from working where they cannot be written', async () => {
    const lost = make(join(dir, 'missing'));
    lost.save([ONE]);
    await lost.stop([ONE]);
  });
});
