import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressesOf, bestFirst } from '../../../src/coordination/balance.ts';
import type { RelayRecord } from '../../../src/coordination/record.ts';
import type { LiveRelay } from '../../../src/coordination/relays.ts';

const NONE = { reservations: { count: 0, max: 0 }, circuits: { count: 0, max: 0 } };
const relay = (peer: string, set: Partial<RelayRecord>): LiveRelay => {
  const record: RelayRecord = { epoch: 1, sequence: 1, state: 'ready', addrs: ['/ip4/192.0.2.1/tcp/1'], linkAddrs: [], region: undefined, version: '1', classes: { public: NONE, member: NONE }, bytesRelayed: 0, load: 0, digest: '', secrets: [], ...set };
  return { peer, record, sealed: new Uint8Array(), heardAt: 0 };
};
const HERE = { region: 'here', addrs: ['/ip4/192.0.2.200/tcp/1'] };
const names = (relays: readonly LiveRelay[]): string[] => relays.map(({ peer }) => peer);

describe('where clients are sent', () => {
  it('is to no relay that drains, is not ready, or says no address', () => {
    const relays = [relay('drains', { state: 'draining' }), relay('is not ready', { state: 'unready' }), relay('mute', { addrs: [] }), relay('good', {})];
    assert.deepEqual(names(bestFirst(relays, HERE)), ['good']);
  });

  it('is to the less loaded before the more', () => {
    const relays = [relay('full', { load: 1 }), relay('half', { load: 0.5 }), relay('idle', { load: 0.04 })];
    assert.deepEqual(names(bestFirst(relays, HERE)), ['idle', 'half', 'full']);
  });

  it('is by turns to different regions and networks among equals, its own last', () => {
    const relays = [
      relay('a', { region: 'here', addrs: ['/ip4/192.0.2.7/tcp/1'] }),
      relay('b', { region: 'east', addrs: ['/ip4/198.51.100.1/tcp/1'] }),
      relay('c', { region: 'east', addrs: ['/ip4/198.51.100.2/tcp/1'] }),
      relay('d', { region: 'west', addrs: ['/ip6/2001:db8::1/tcp/1'] }),
      relay('e', { region: 'west', addrs: ['/dns4/relay.example/tcp/1'], load: 0.02 }),
    ];
    assert.deepEqual(names(bestFirst(relays, HERE)), ['b', 'd', 'e', 'a', 'c']);
  });

  it('names each relay once before it names any of them again', () => {
    const relays = [relay('a', { addrs: ['a1', 'a2', 'a3'] }), relay('b', { addrs: ['b1'] })];
    assert.deepEqual(addressesOf(relays), ['a1', 'b1', 'a2', 'a3']);
    assert.deepEqual(addressesOf([]), []);
  });
});
