import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { RelaydError } from '../../../src/lib/errors.ts';
import { openAsnDatabase } from '../../../src/relay/asn.ts';
import type { AsnLookup } from '../../../src/relay/asn.ts';
import { mmdbOf } from '../../support/mmdb.ts';
import type { MmdbEntry } from '../../support/mmdb.ts';

describe('openAsnDatabase', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'relayd-asn-'))));
  after(() => rm(folder, { recursive: true }));

  async function lookupIn(entry: MmdbEntry): Promise<AsnLookup> {
    const file = join(folder, 'asn.mmdb');
    await writeFile(file, mmdbOf(entry));
    return openAsnDatabase(file);
  }

  it('without a file knows no AS', async () => {
    assert.equal((await openAsnDatabase(undefined))(multiaddr('/ip4/8.8.8.8/tcp/1')), undefined);
  });

  it('finds the AS of an IPv4 address, in whatever form it comes', async () => {
    const asn = await lookupIn({ address: Uint8Array.of(127, 0, 0, 0), bits: 8, asn: 64_500 });
    assert.equal(asn(multiaddr('/ip4/127.0.0.1/tcp/1')), 64_500);
    assert.equal(asn(multiaddr('/ip4/127.255.0.9/tcp/1')), 64_500);
    assert.equal(asn(multiaddr('/ip6/::ffff:127.0.0.1/tcp/1')), 64_500);
    assert.equal(asn(multiaddr('/ip4/126.255.255.255/tcp/1')), undefined);
    assert.equal(asn(multiaddr('/dns4/example.org/tcp/1')), undefined);
  });

  it('does not take an IPv6 address for an IPv4 one in a database that has only those', async () => {
    const asn = await lookupIn({ address: Uint8Array.of(0x20, 0x01, 0, 0), bits: 16, asn: 64_501 });
    assert.equal(asn(multiaddr('/ip4/32.1.0.1/tcp/1')), 64_501);
    assert.equal(asn(multiaddr('/ip6/2001::1/tcp/1')), undefined);
  });

  it('finds the AS of an IPv6 address', async () => {
    const asn = await lookupIn({ address: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, ...Array<number>(12).fill(0)), bits: 32, asn: 4_200_000_000 });
    assert.equal(asn(multiaddr('/ip6/2001:db8::1/tcp/1')), 4_200_000_000);
    assert.equal(asn(multiaddr('/ip6/2001:db9::1/tcp/1')), undefined);
  });

  it('says which file cannot be read, and why that matters', async () => {
    const unreadable = (error: unknown): boolean => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && error.message.includes('relay.asnFile');
    await assert.rejects(openAsnDatabase(join(folder, 'missing.mmdb')), unreadable);
    for (const [name, content] of [['empty', ''], ['text', 'this is no database'], ['cut', mmdbOf({ address: Uint8Array.of(127), bits: 8, asn: 1 }).subarray(0, 60)]] as const) {
      await writeFile(join(folder, name), content);
      await assert.rejects(openAsnDatabase(join(folder, name)), unreadable, name);
    }
  });
});
