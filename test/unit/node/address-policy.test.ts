import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { AddressPolicy } from '../../../src/node/address-policy.ts';

const ID = '12D3KooWHeAdnHZrt1GzRDB1WZ1HDn6EvPB9wYvzUNjfRPnFZQnb';

/** Every form in which a peer may name this machine or its network. */
const INSIDE = [
  '/ip4/127.0.0.1/tcp/22',
  '/ip4/127.9.8.7/tcp/22',
  '/ip4/0.0.0.0/tcp/22',
  '/ip4/10.0.0.1/tcp/22',
  '/ip4/172.31.255.255/tcp/22',
  '/ip4/192.168.0.1/tcp/22',
  '/ip4/169.254.169.254/tcp/80',
  '/ip4/100.64.0.1/tcp/22',
  '/ip4/224.0.0.1/tcp/22',
  '/ip4/255.255.255.255/tcp/22',
  '/ip6/::1/tcp/22',
  '/ip6/::/tcp/22',
  '/ip6/::ffff:127.0.0.1/tcp/22',
  '/ip6/::ffff:a00:1/tcp/22',
  '/ip6/::7f00:1/tcp/22',
  '/ip6/64:ff9b::127.0.0.1/tcp/22',
  '/ip6/64:ff9b::a9fe:a9fe/tcp/80',
  '/ip6/64:ff9b:1:7f00:1::/tcp/22',
  '/ip6/2002:7f00:1::/tcp/22',
  '/ip6/2001::1/tcp/22',
  '/ip6/fe80::1/tcp/22',
  '/ip6zone/lo/ip6/::1/tcp/22',
  '/ip6/fc00::1/tcp/22',
  '/ip6/fec0::1/tcp/22',
  '/ip6/ff02::1/tcp/22',
  '/dns4/127.0.0.1/tcp/22',
  '/dns/10.0.0.1/tcp/22',
  '/dns6/::1/tcp/22',
  '/dns6/::ffff:7f00:1/tcp/22',
  '/unix/%2Fvar%2Frun%2Fdocker.sock',
];
const OUTSIDE = ['/ip4/8.8.8.8/tcp/4001', '/ip6/2606:4700::1/tcp/4001', '/ip6/64:ff9b::808:808/tcp/4001', '/dns4/relay.example.org/tcp/4001', '/dnsaddr/bootstrap.example.org'];

type Found = { error: NodeJS.ErrnoException | null; addresses: string | { address: string }[] };
const lookup = (policy: AddressPolicy, name: string, all = false): Promise<Found> =>
  new Promise((resolve) => policy.lookup(name, { all }, (error, addresses) => resolve({ error, addresses: addresses as Found['addresses'] })));

describe('addresses that relays of the own cluster tell', () => {
  it('are dialled wherever they lead, as long as they are told', () => {
    const policy = new AddressPolicy(false, []);
    const [addr, other] = [multiaddr(`/ip4/10.0.0.1/tcp/4001/p2p/${ID}`), multiaddr(`/ip4/10.0.0.1/tcp/22/p2p/${ID}`)];
    policy.trust([addr.toString()]);
    assert.deepEqual([policy.mayDial(addr), policy.mayDial(other), policy.mayTell(addr), policy.isConfigured(peerIdFromString(ID))], [true, false, false, false]);
    policy.trust([]);
    assert.equal(policy.mayDial(addr), false);
  });

  it('may be names that lead to private addresses', async () => {
    const policy = new AddressPolicy(false, []);
    const looked = (): Promise<Error | null> => new Promise((resolve) => policy.lookup('localhost', {}, (error) => resolve(error)));
    assert.ok((await looked()) instanceof Error);
    policy.trust([`/dns4/localhost/tcp/4001/p2p/${ID}`]);
    assert.equal(await looked(), null);
  });
});

describe('AddressPolicy', () => {
  it('dials and tells nothing of this machine and its network that a peer names, in whatever form', () => {
    const policy = new AddressPolicy(false, []);
    for (const text of INSIDE) {
      for (const whole of [text, `${text}/p2p/${ID}`]) {
        assert.equal(policy.mayDial(multiaddr(whole)), false, whole);
        assert.equal(policy.mayTell(multiaddr(whole)), false, whole);
      }
    }
    for (const text of OUTSIDE) assert.ok(policy.mayDial(multiaddr(text)) && policy.mayTell(multiaddr(text)), text);
  });

  it('dials and tells everything when the operator allows private addresses', () => {
    const policy = new AddressPolicy(true, []);
    for (const text of [...INSIDE, ...OUTSIDE]) assert.ok(policy.mayDial(multiaddr(text)) && policy.mayTell(multiaddr(text)), text);
  });

  it('dials what the operator wrote, at that port and no other, and does not tell it', () => {
    const policy = new AddressPolicy(false, [`/ip4/10.0.0.1/tcp/4001/p2p/${ID}`]);
    assert.equal(policy.mayDial(multiaddr(`/ip4/10.0.0.1/tcp/4001/p2p/${ID}`)), true);
    assert.equal(policy.mayDial(multiaddr('/ip4/10.0.0.1/tcp/4001')), true);
    assert.equal(policy.mayDial(multiaddr('/ip4/10.0.0.1/tcp/22')), false);
    assert.equal(policy.mayDial(multiaddr('/ip4/10.0.0.2/tcp/4001')), false);
    assert.equal(policy.mayTell(multiaddr('/ip4/10.0.0.1/tcp/4001')), false);
    policy.configure(['/ip4/10.0.0.2/tcp/4001']);
    assert.deepEqual(['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.2/tcp/4001'].map((text) => policy.mayDial(multiaddr(text))), [false, true]);
  });

  it('does not connect to a private address behind a name that a peer gave', async () => {
    const policy = new AddressPolicy(false, []);
    for (const all of [true, false]) {
      const { error } = await lookup(policy, 'localhost', all);
      assert.match(error?.message ?? '', /localhost leads only to private addresses/);
    }
  });

  it('connects wherever a name leads that the operator wrote', async () => {
    for (const policy of [new AddressPolicy(false, [`/dns4/localhost/tcp/4001/p2p/${ID}`]), new AddressPolicy(true, [])]) {
      const { error, addresses } = await lookup(policy, 'localhost', true);
      assert.equal(error, null);
      assert.ok(Array.isArray(addresses) && addresses.length > 0);
      assert.ok(['127.0.0.1', '::1'].includes(String((await lookup(policy, 'localhost')).addresses)));
    }
  });

  it('says that a name does not exist', async () => {
    assert.equal((await lookup(new AddressPolicy(false, []), 'name.invalid')).error?.syscall, 'getaddrinfo');
  });
});
