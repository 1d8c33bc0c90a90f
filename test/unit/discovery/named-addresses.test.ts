import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NamedAddresses } from '../../../src/discovery/address-lists.ts';
import type { AddressLists } from '../../../src/discovery/address-lists.ts';
import { settled } from '../../support/waiting.ts';
import { base, peer } from './support.ts';

const MANUAL = `/ip4/192.0.2.9/tcp/4001/p2p/${peer(9).toString()}`;
const A = `/ip4/192.0.2.1/tcp/4001/p2p/${peer(1).toString()}`;
const B = `/ip4/192.0.2.2/tcp/4001/p2p/${peer(2).toString()}`;
const NAME = '/dnsaddr/r.example';

interface Rig {
  named: NamedAddresses;
  given: AddressLists[];
  records: Map<string, string[]>;
  asked: string[];
  pass: (ms: number) => Promise<void>;
  parts: ReturnType<typeof base>;
}

function rig(lists: AddressLists): Rig {
  const parts = base();
  const given: AddressLists[] = [];
  const records = new Map<string, string[]>();
  const asked: string[] = [];
  const lookUp = (name: string): Promise<string[]> => {
    asked.push(name);
    const found = records.get(name);
    return found === undefined ? Promise.reject(new Error('the DNS is down')) : Promise.resolve(found.map((addr) => `dnsaddr=${addr}`));
  };
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 5_000) {
      parts.clock.advance(Math.min(left, 5_000));
      await settled(2);
    }
  };
  return { named: new NamedAddresses({ ...parts, lists, lookUp, onChange: (now) => given.push(now) }), given, records, asked, pass, parts };
}

describe('the lists of the configuration', () => {
  it('have the names in them replaced by what these stand for', async () => {
    const { named, given, records } = rig({ relays: [MANUAL, NAME], bootstrap: [NAME] });
    records.set('r.example', [A]);
    assert.deepEqual(named.lists, { relays: [MANUAL], bootstrap: [] }, 'before anything is known');
    named.start();
    await settled();
    assert.deepEqual(given, [{ relays: [MANUAL, A], bootstrap: [A] }]);
    named.stop();
  });

  it('follow a name that is changed, within ten minutes or so, and tell nothing when it is not', async () => {
    const { named, given, records, pass, asked } = rig({ relays: [NAME], bootstrap: [] });
    records.set('r.example', [A]);
    named.start();
    await pass(660_000);
    assert.equal(given.length, 1);
    assert.equal(asked.length, 2);
    records.set('r.example', [B]);
    await pass(660_000);
    assert.deepEqual(given.at(-1)?.relays, [B]);
    named.stop();
  });

  it('keep the last answer while the DNS is down, and ask sooner until it is back', async () => {
    const { named, given, records, pass, asked, parts } = rig({ relays: [NAME], bootstrap: [] });
    records.set('r.example', [A]);
    named.start();
    await settled();
    records.clear();
    await pass(1_800_000);
    assert.deepEqual(named.lists.relays, [A]);
    assert.ok(asked.length >= 7, `${asked.length} times`);
    records.set('r.example', [B]);
    await pass(330_000);
    assert.deepEqual(given.at(-1)?.relays, [B]);
    assert.match(await parts.registry.metrics(), /relayd_discovery_names_total\{outcome="failed"\} [1-9]/);
    named.stop();
  });

  it('keep what one of several names said before, while it alone fails', async () => {
    const { named, records, pass } = rig({ relays: [NAME], bootstrap: [] });
    records.set('r.example', ['/dnsaddr/eu.example', '/dnsaddr/us.example']).set('eu.example', [A]).set('us.example', [B]);
    named.start();
    await settled();
    records.delete('us.example');
    await pass(660_000);
    assert.deepEqual(named.lists.relays, [A, B]);
    named.stop();
  });

  it('keep the last answer when a name lists nothing any more', async () => {
    const { named, records, pass } = rig({ relays: [NAME], bootstrap: [] });
    records.set('r.example', [A]);
    named.start();
    await settled();
    records.set('r.example', []);
    await pass(1_200_000);
    assert.deepEqual(named.lists.relays, [A]);
    named.stop();
  });

  it('take changed entries while running, and leave names alone that went', async () => {
    const { named, given, records, asked, pass } = rig({ relays: [NAME], bootstrap: [] });
    records.set('r.example', [A]).set('s.example', [B]);
    named.start();
    await settled();
    named.update({ relays: ['/dnsaddr/s.example', MANUAL], bootstrap: [] });
    await settled();
    assert.deepEqual(given.at(-1)?.relays, [B, MANUAL]);
    const before = asked.filter((name) => name === 'r.example').length;
    await pass(1_200_000);
    assert.equal(asked.filter((name) => name === 'r.example').length, before);
    named.stop();
  });

  it('look up no more names than anyone lists', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `/dnsaddr/n${i}.example`);
    const { named, asked, parts } = rig({ relays: names, bootstrap: names });
    named.start();
    await settled();
    assert.equal(asked.length, 16);
    named.stop();
    assert.equal(parts.clock.pending, 0);
  });
});
