import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { followDnsaddr } from '../../../src/discovery/dnsaddr.ts';
import type { Followed } from '../../../src/discovery/dnsaddr.ts';
import { peer } from './support.ts';

const A = `/ip4/192.0.2.1/tcp/4001/p2p/${peer(1).toString()}`;
const B = `/ip4/192.0.2.2/tcp/4001/p2p/${peer(2).toString()}`;

/** Follows `entry` in a DNS of these records, and says which names were asked for. */
async function follow(entry: string, records: Record<string, string[]>): Promise<Followed & { asked: string[] }> {
  const asked: string[] = [];
  const lookUp = (name: string): Promise<string[]> => {
    asked.push(name);
    const found = records[name];
    return found === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(found);
  };
  return { ...(await followDnsaddr(entry, lookUp, new AbortController().signal)), asked };
}

describe('a dnsaddr name', () => {
  it('stands for the full addresses in its records', async () => {
    const { addrs, problems } = await follow('/dnsaddr/relays.example.org', { 'relays.example.org': [`dnsaddr=${A}`, `dnsaddr=${B}`] });
    assert.deepEqual([addrs, problems], [[A, B], []]);
  });

  it('is asked for in small letters, as the DNS has no others', async () => {
    assert.deepEqual((await follow('/dnsaddr/Relays.Example.org', { 'relays.example.org': [`dnsaddr=${A}`] })).addrs, [A]);
  });

  it('leaves out what is no record of this kind, no address, no full address or a circuit', async () => {
    const records = ['v=spf1 -all', 'dnsaddr=', 'dnsaddr=/ip4/not-an-ip/tcp/1', 'dnsaddr=/ip4/192.0.2.1/tcp/4001', `dnsaddr=${A}/p2p-circuit/p2p/${peer(3).toString()}`, `dnsaddr=/${'x'.repeat(2_000)}`, `dnsaddr= ${B}`];
    assert.deepEqual((await follow('/dnsaddr/r.example', { 'r.example': records })).addrs, [B]);
  });

  it('leads to other names', async () => {
    const records = { 'r.example': ['dnsaddr=/dnsaddr/eu.example', 'dnsaddr=/dnsaddr/us.example'], 'eu.example': [`dnsaddr=${A}`], 'us.example': [`dnsaddr=${B}`] };
    assert.deepEqual((await follow('/dnsaddr/r.example', records)).addrs, [A, B]);
  });

  it('stands only for the addresses that end as the entry does', async () => {
    const records = { 'r.example': [`dnsaddr=${A}`, `dnsaddr=${B}`, `dnsaddr=/dnsaddr/eu.example/p2p/${peer(2).toString()}`, 'dnsaddr=/dnsaddr/us.example'], 'eu.example': [`dnsaddr=${A}`, `dnsaddr=/ip4/192.0.2.9/tcp/1/p2p/${peer(2).toString()}`] };
    const { addrs, asked } = await follow(`/dnsaddr/r.example/p2p/${peer(2).toString()}`, records);
    assert.deepEqual(addrs, [B, `/ip4/192.0.2.9/tcp/1/p2p/${peer(2).toString()}`]);
    assert.deepEqual(asked, ['r.example', 'eu.example']);
  });

  it('that leads to itself ends', async () => {
    const { addrs, asked, problems } = await follow('/dnsaddr/a.example', { 'a.example': ['dnsaddr=/dnsaddr/b.example', `dnsaddr=${A}`], 'b.example': ['dnsaddr=/dnsaddr/A.example'] });
    assert.deepEqual([addrs, asked, problems], [[A], ['a.example', 'b.example'], []]);
  });

  it('that goes on without an end is given up', async () => {
    const records = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`n${i}.example`, [`dnsaddr=/dnsaddr/n${i + 1}.example`]]));
    const { asked, problems } = await follow('/dnsaddr/n0.example', records);
    assert.equal(asked.length, 8);
    assert.match(problems.join(), /too many names/);
  });

  it('that names very many others, or addresses, is cut', async () => {
    const many = Array.from({ length: 500 }, (_, i) => `dnsaddr=/dnsaddr/n${i}.example`);
    assert.equal((await follow('/dnsaddr/r.example', { 'r.example': many })).asked.length, 32);
    const addrs = Array.from({ length: 500 }, (_, i) => `dnsaddr=/ip4/192.0.2.1/tcp/${i + 1}/p2p/${peer(1).toString()}`);
    assert.equal((await follow('/dnsaddr/r.example', { 'r.example': addrs })).addrs.length, 64);
  });

  it('says which of its names could not be looked up, and gives what the others list', async () => {
    const { addrs, problems } = await follow('/dnsaddr/r.example', { 'r.example': ['dnsaddr=/dnsaddr/gone.example', `dnsaddr=${A}`] });
    assert.deepEqual([addrs, problems], [[A], ['gone.example: ENOTFOUND']]);
  });

  it('ends within its bounds whatever the records say, and gives full addresses only', async () => {
    const name = fc.integer({ min: 0, max: 5 }).map((n) => `n${n}.example`);
    const suffix = fc.constantFrom('', `/p2p/${peer(1).toString()}`);
    const record = fc.oneof(fc.string(), fc.tuple(name, suffix).map(([to, end]) => `dnsaddr=/dnsaddr/${to}${end}`), fc.constantFrom(`dnsaddr=${A}`, `dnsaddr=${B}`));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.array(record)), suffix, async (records, end) => {
        const { addrs, asked } = await follow(`/dnsaddr/n0.example${end}`, records);
        assert.equal(new Set(asked).size, asked.length);
        assert.ok(addrs.every((addr) => [A, B].includes(addr) && addr.endsWith(end)));
      }),
    );
  });
});
