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

  it('name the cluster\'s other relays behind its own, as far as there is room, where anybody can use them', () => {
    const foreign = [`/ip4/8.8.4.4/tcp/1/p2p/${other}`, `/ip4/10.0.0.1/tcp/1/p2p/${other}`, `/ip4/8.8.4.4/tcp/1/p2p/${other}/p2p-circuit`, '/ip4/8.8.4.4/tcp/2', `/ip4/8.8.4.4/tcp/3/p2p/${peerId}`];
    const named = (own: string[], others: string[], allowPrivate = false): string[] =>
      reservationAddresses(own.map((text) => multiaddr(text)), { peerId, announced: false, allowPrivate }, others.map((text) => multiaddr(text))).map((addr) => addr.toString().replace(peerId, 'ME').replace(other, 'OTHER'));
    assert.deepEqual(named(['/ip4/8.8.8.8/tcp/1'], foreign), ['/ip4/8.8.8.8/tcp/1/p2p/ME', '/ip4/8.8.4.4/tcp/1/p2p/OTHER']);
    assert.equal(named(['/ip4/8.8.8.8/tcp/1'], foreign, true).length, 3, 'private ones where they are allowed');
    assert.deepEqual(named(['/ip4/192.168.1.2/tcp/1'], foreign), ['/ip4/192.168.1.2/tcp/1/p2p/ME', '/ip4/8.8.4.4/tcp/1/p2p/OTHER']);
    const many = Array.from({ length: 40 }, (_, i) => `/ip4/8.8.4.${i}/tcp/1/p2p/${other}`);
    assert.equal(named(['/ip4/8.8.8.8/tcp/1'], many).length, 16);
    const long = Array.from({ length: 40 }, (_, i) => `/dns4/${'a'.repeat(240)}${i}.example.org/tcp/1/p2p/${other}`);
    const texts = named(['/ip4/8.8.8.8/tcp/1'], long);
    assert.ok(texts.length > 1 && texts.length < 8, 'a reply is no longer than a frame');
    assert.equal(texts[0], '/ip4/8.8.8.8/tcp/1/p2p/ME');
  });
});
