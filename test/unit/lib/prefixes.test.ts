import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { Prefixes } from '../../../src/lib/prefixes.ts';

const keys = (prefixes: Prefixes, text: string): string[] => prefixes.keysOf(multiaddr(text));

describe('Prefixes', () => {
  const prefixes = new Prefixes({ ipv4: 24, ipv6: [56, 48], exempt: ['198.51.100.0/24', '2001:db8:eeee::/48'] });

  it('count an IPv4 address under one network, in whatever form it comes', () => {
    assert.deepEqual(keys(prefixes, '/ip4/192.0.2.7/tcp/1'), ['192.0.2.0/24']);
    assert.deepEqual(keys(prefixes, '/ip6/::ffff:c000:207/tcp/1'), ['192.0.2.0/24']);
  });

  it('count an IPv6 address under each length', () => {
    assert.deepEqual(keys(prefixes, '/ip6/2001:db8:1:2ff::5/tcp/1'), ['2001:db8:1:200::/56', '2001:db8:1::/48']);
  });

  it('count nothing for an exempt address, and for one that is not IP', () => {
    assert.deepEqual(keys(prefixes, '/ip4/198.51.100.9/tcp/1'), []);
    assert.deepEqual(keys(prefixes, '/ip6/::ffff:c633:6409/tcp/1'), []);
    assert.deepEqual(keys(prefixes, '/ip6/2001:db8:eeee::1/tcp/1'), []);
    assert.deepEqual(keys(prefixes, '/dns4/example.org/tcp/1'), []);
    assert.deepEqual(keys(prefixes, '/unix/%2Ftmp%2Fx'), []);
  });
});
