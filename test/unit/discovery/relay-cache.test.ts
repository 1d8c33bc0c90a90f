import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { pino } from 'pino';
import { RelayCache } from '../../../src/discovery/relay-cache.ts';
import type { KnownRelay } from '../../../src/lib/contracts.ts';
import { tempDir } from '../admin/server-helpers.ts';
import { base, peer } from './support.ts';

const DAY_MS = 24 * 3_600_000;

interface Rig {
  cache: RelayCache;
  file: string;
  clock: ReturnType<typeof base>['clock'];
  known: KnownRelay[];
  logged: string[];
}

async function rig(t: TestContext, dir?: string): Promise<Rig> {
  const parts = base();
  const known: KnownRelay[] = [];
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(line) });
  const dataDir = dir ?? (await tempDir(t));
  const cache = new RelayCache({ ...parts, log, dataDir, isUsable: (addr) => !addr.toString().startsWith('/ip4/10.'), known: () => known });
  return { cache, file: join(dataDir, 'relays.json'), clock: parts.clock, known, logged };
}

function relay(index: number, lastServedAtWall: number, addr = '/ip4/192.0.2.1/tcp/4001'): KnownRelay {
  return { peer: peer(index), addrs: [multiaddr(`${addr}/p2p/${peer(index).toString()}`)], lastServedAtWall, availability: 0.75 };
}

function plain(relays: readonly KnownRelay[]): unknown {
  return relays.map(({ peer: id, addrs, ...rest }) => ({ peer: id.toString(), addrs: addrs.map(String), ...rest }));
}

describe('the relays known from an earlier run', () => {
  it('come back as they were, from a file that only its owner can read', async (t) => {
    const { cache, file, clock, known } = await rig(t);
    assert.deepEqual(await cache.load(), [], 'no file');
    known.push(relay(1, clock.wall()), relay(2, clock.wall() - DAY_MS));
    cache.changed();
    await cache.stop();
    assert.deepEqual(plain(await cache.load()), plain(known));
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('are written once for many changes, some seconds after the first', async (t) => {
    const { cache, file, clock, known } = await rig(t);
    known.push(relay(1, clock.wall()));
    for (let i = 0; i < 100; i++) cache.changed();
    assert.equal(clock.pending, 1);
    await assert.rejects(readFile(file), /ENOENT/);
    clock.advance(5_000);
    await cache.stop();
    assert.equal((JSON.parse(await readFile(file, 'utf8')) as { relays: unknown[] }).relays.length, 1);
  });

  it('are at most 64, those that served last, and none that served more than 30 days ago', async (t) => {
    const { cache, clock, known } = await rig(t);
    for (let i = 0; i < 70; i++) known.push(relay(i, clock.wall() - i * 1_000));
    known.push(relay(75, clock.wall() - 31 * DAY_MS));
    cache.changed();
    await cache.stop();
    assert.deepEqual(plain(await cache.load()), plain(known.slice(0, 64)));
    clock.stepWall(31 * DAY_MS);
    assert.deepEqual(await cache.load(), [], 'a month later');
  });

  it('are left out where this node may not dial them', async (t) => {
    const { cache, clock, known } = await rig(t);
    known.push(relay(1, clock.wall(), '/ip4/10.0.0.1/tcp/4001'), relay(2, clock.wall()));
    cache.changed();
    await cache.stop();
    assert.equal((await cache.load()).length, 1);
  });

  for (const [what, text] of Object.entries({
    'cut off': '{"version":1,"relays":[{"peer":',
    'of another version': '{"version":2,"relays":[]}',
    'with something else in it': '[1,2,3]',
    'with an entry that names no peer': '{"version":1,"relays":[{"peer":"x","addrs":[],"lastServedAt":1,"availability":1}]}',
    'with an address that is none': `{"version":1,"relays":[{"peer":"${peer(1).toString()}","addrs":["nowhere"],"lastServedAt":1,"availability":1}]}`,
    'too large': ' '.repeat(300_000),
    empty: '',
  })) {
    it(`that are in a file ${what} are not used; the file is moved aside, and said to be`, async (t) => {
      const { cache, file, known, clock, logged } = await rig(t);
      await writeFile(file, text);
      assert.deepEqual(await cache.load(), []);
      assert.match(logged.join(), /damaged/);
      assert.equal(await readFile(`${file}.damaged`, 'utf8'), text);
      known.push(relay(1, clock.wall()));
      cache.changed();
      await cache.stop();
      assert.equal((await cache.load()).length, 1);
    });
  }

  it('that cannot be written are warned of once, and written when they can be', async (t) => {
    const dir = await tempDir(t);
    const { cache, file, known, clock, logged } = await rig(t, join(dir, 'sub'));
    known.push(relay(1, clock.wall()));
    for (let i = 0; i < 3; i++) {
      cache.changed();
      await cache.stop();
    }
    assert.equal(logged.length, 1, logged.join());
    await mkdir(join(dir, 'sub'));
    cache.changed();
    await cache.stop();
    assert.equal((await cache.load()).length, 1);
    assert.deepEqual(await readdir(join(dir, 'sub')), ['relays.json'], 'no draft is left behind');
    assert.ok(file.endsWith('relays.json'));
    await assert.rejects(rmdir(join(dir, 'sub')));
  });
});
