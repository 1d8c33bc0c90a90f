import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { reservationAddresses } from '../../../src/relay/relay-addresses.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('reservationAddresses', () => {
  let peerId: string;
  let other: string;
  before(async () => {
    [peerId, other] = (await makePeerIds(2)).map(String) as [string, string];
  });
  const given = (own: string[], options: { announced?: boolean; allowPrivate?: boolean } = {}): string[] =>
    reservationAddresses(own.map((text) => multiaddr(text)), { peerId, announced: false, allowPrivate: false, ...options }).map((addr) => addr.toString().replace(peerId, 'ME'));

  it('are the relay\'s own, each once, with its peer id', () => {
    assert.deepEqual(given(['/ip4/8.8.8.8/tcp/1', `/ip4/8.8.8.8/tcp/1/p2p/${peerId}`, '/dns4/relay.example.org/tcp/1']), ['/ip4/8.8.8.8/tcp/1/p2p/ME', '/dns4/relay.example.org/tcp/1/p2p/ME']);
  });

  it('do not lead through a relay, nor to another peer', () => {
    assert.deepEqual(given([`/ip4/8.8.4.4/tcp/1/p2p/${other}/p2p-circuit`, `/ip4/8.8.4.4/tcp/1/p2p/${other}/p2p-circuit/p2p/${peerId}`, `/ip4/8.8.4.4/tcp/1/p2p/${other}`, '/ip4/8.8.8.8/tcp/1']), ['/ip4/8.8.8.8/tcp/1/p2p/ME']);
  });

  it('are public where one is, else of the widest reach that there is, so that there is always one', () => {
    const [loopback, lan, world] = ['/ip4/127.0.0.1/tcp/1', '/ip4/192.168.1.2/tcp/1', '/ip4/8.8.8.8/tcp/1'];
    assert.deepEqual(given([loopback, lan, world]), [`${world}/p2p/ME`]);
    assert.deepEqual(given([loopback, lan]), [`${lan}/p2p/ME`]);
    assert.deepEqual(given([loopback]), [`${loopback}/p2p/ME`]);
    assert.deepEqual(given(['/ip6/::1/tcp/1', '/ip6/fd00::1/tcp/1', '/ip6/2606:4700::1/tcp/1']), ['/ip6/2606:4700::1/tcp/1/p2p/ME']);
    assert.deepEqual(given([]), []);
  });

  it('are all of them when the operator named them, or allows private ones', () => {
    const own = ['/ip4/127.0.0.1/tcp/1', '/ip4/8.8.8.8/tcp/1'];
    for (const options of [{ announced: true }, { allowPrivate: true }]) assert.equal(given(own, options).length, 2);
  });

  it('are no more than fit a reply', () => {
    const own = Array.from({ length: 50 }, (_, i) => `/ip4/8.8.8.${i}/tcp/1`);
    assert.equal(given(own).length, 16);
  });
});
