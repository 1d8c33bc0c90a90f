import assert from 'node:assert/strict';
import { it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { NamedRelays } from '../../../src/node/named-relays.ts';

it('names the relays of the own cluster before those that were found, whoever tells last', () => {
  const [own, found] = [multiaddr('/ip4/192.0.2.1/tcp/1'), multiaddr('/ip4/192.0.2.2/tcp/1')];
  const named: string[][] = [];
  const relays = new NamedRelays((addrs) => named.push(addrs.map(String)));
  relays.fromDiscovery([found]);
  relays.fromCluster([own]);
  relays.fromDiscovery([]);
  assert.deepEqual(named, [['/ip4/192.0.2.2/tcp/1'], ['/ip4/192.0.2.1/tcp/1', '/ip4/192.0.2.2/tcp/1'], ['/ip4/192.0.2.1/tcp/1']]);
});
