import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { contains, ipOf, networkOf, parseCidr, parseIp, reachOf } from '../../../src/lib/addresses.ts';

const ID = '12D3KooWHeAdnHZrt1GzRDB1WZ1HDn6EvPB9wYvzUNjfRPnFZQnb';
const ip = (text: string) => parseIp(text) ?? assert.fail(`${text} is not an address`);

describe('parseIp', () => {
  it('turns the forms of an IPv4 address into that address', () => {
    for (const text of ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '64:ff9b::192.0.2.1', '64:ff9b::c000:201', '::192.0.2.1', '::c000:201']) {
      assert.equal(ip(text).toString(), '192.0.2.1', text);
    }
  });

  it('leaves other addresses as they are', () => {
    for (const text of ['2001:db8::1', '::1', '::', '2002:c000:201::', '64:ff9b:1::c000:201']) {
      assert.equal(ip(text).kind(), 'ipv6', text);
    }
  });

  it('is undefined for what is no address', () => {
    for (const text of ['', 'example.org', '300.1.1.1', '1.2.3.4.5', ':::', '1.2.3.4/8']) assert.equal(parseIp(text), undefined, text);
  });
});

describe('ipOf', () => {
  it('is the address at the beginning, zones or not', () => {
    assert.equal(ipOf(multiaddr('/ip4/192.0.2.1/tcp/1'))?.toString(), '192.0.2.1');
    assert.equal(ipOf(multiaddr('/ip6zone/eth0/ip6/fe80::1/tcp/1'))?.toString(), 'fe80::1');
    assert.equal(ipOf(multiaddr('/ip6/::ffff:c000:201/tcp/1'))?.toString(), '192.0.2.1');
  });

  it('is undefined where there is none, and for a circuit, whose address is the relay\'s', () => {
    for (const text of ['/dns4/example.org/tcp/1', '/dnsaddr/example.org', '/unix/%2Ftmp%2Fx', `/ip4/192.0.2.1/tcp/1/p2p/${ID}/p2p-circuit`]) {
      assert.equal(ipOf(multiaddr(text)), undefined, text);
    }
  });
});

describe('reachOf', () => {
  const reach = (text: string): string => reachOf(multiaddr(text));

  it('of public addresses and of names is public', () => {
    for (const text of ['/ip4/8.8.8.8/tcp/1', '/ip6/2606:4700::1/tcp/1', '/ip6/64:ff9b::808:808/tcp/1', '/dns4/example.org/tcp/1', '/dnsaddr/example.org']) assert.equal(reach(text), 'public', text);
  });

  it('of this machine is loopback, in every form', () => {
    const forms = ['/ip4/127.0.0.1', '/ip4/127.9.9.9', '/ip4/0.0.0.0', '/ip6/::1', '/ip6/::', '/ip6/::ffff:7f00:1', '/ip6/64:ff9b::7f00:1', '/ip6/::7f00:1', '/ip6zone/lo/ip6/::1'];
    for (const form of forms) assert.equal(reach(`${form}/tcp/1`), 'loopback', form);
  });

  it('of an address that stands where a name should is the address\'s: no lookup is made for it', () => {
    for (const [name, expected] of [['dns4/127.0.0.1', 'loopback'], ['dns/10.0.0.1', 'private'], ['dns6/::1', 'loopback'], ['dns6/::ffff:10.0.0.1', 'private'], ['dns4/8.8.8.8', 'public']] as const) {
      assert.equal(reach(`/${name}/tcp/22`), expected, name);
    }
  });

  it('of a socket in the file system, or in memory, is loopback', () => {
    assert.equal(reach('/unix/%2Fvar%2Frun%2Fdocker.sock'), 'loopback');
    assert.equal(reach('/memory/1'), 'loopback');
  });

  it('of networks that are not the Internet is private', () => {
    const v4 = ['10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.8', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'];
    for (const text of v4) assert.equal(reach(`/ip4/${text}/tcp/1`), 'private', text);
    const v6 = ['fe80::1', 'fc00::1', 'fec0::1', 'ff02::1', '2001:db8::1', '2002:7f00:1::', '2001::1', '::ffff:0:7f00:1', '100::1', '64:ff9b::a00:1', '64:ff9b:1:7f00:1:0:808:808'];
    for (const text of v6) assert.equal(reach(`/ip6/${text}/tcp/1`), 'private', text);
  });
});

describe('CIDRs', () => {
  it('contain what they should', () => {
    const within = (cidr: string, text: string): boolean => contains(parseCidr(cidr), ip(text));
    assert.ok(within('192.0.2.0/24', '192.0.2.255'));
    assert.ok(!within('192.0.2.0/24', '192.0.3.0'));
    assert.ok(within('192.0.2.1', '192.0.2.1'));
    assert.ok(!within('192.0.2.1', '192.0.2.2'));
    assert.ok(within('2001:db8::/32', '2001:db8:ffff::1'));
    assert.ok(within('2001:db8::1', '2001:db8::1'));
    assert.ok(within('0.0.0.0/0', '8.8.8.8'));
    assert.ok(!within('0.0.0.0/0', '2001:db8::1') && !within('::/0', '8.8.8.8'), 'each family for itself');
  });

  it('catch the other forms of an IPv4 address', () => {
    assert.ok(contains(parseCidr('10.0.0.0/8'), ip('::ffff:10.1.2.3')));
    assert.ok(contains(parseCidr('10.0.0.0/8'), ip('64:ff9b::a01:203')));
  });

  it('are refused when they are none', () => {
    for (const text of ['x', '1.2.3.4/33', '::/129', '1.2.3.4/x']) assert.throws(() => parseCidr(text), text);
  });
});

describe('networkOf', () => {
  it('names the network', () => {
    assert.equal(networkOf(ip('192.0.2.130'), 32), '192.0.2.130/32');
    assert.equal(networkOf(ip('192.0.2.130'), 25), '192.0.2.128/25');
    assert.equal(networkOf(ip('192.0.2.130'), 1), '128.0.0.0/1');
    assert.equal(networkOf(ip('2001:db8:1:2ff::5'), 56), '2001:db8:1:200::/56');
    assert.equal(networkOf(ip('2001:db8:1:2ff::5'), 48), '2001:db8:1::/48');
  });

  it('is the same for two addresses exactly when their first bits are', () => {
    const address = fc.ipV4();
    fc.assert(
      fc.property(address, address, fc.integer({ min: 1, max: 32 }), (a, b, bits) => {
        const number = (text: string): number => text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
        const same = Math.floor(number(a) / 2 ** (32 - bits)) === Math.floor(number(b) / 2 ** (32 - bits));
        assert.equal(networkOf(ip(a), bits) === networkOf(ip(b), bits), same);
      }),
    );
  });
});
