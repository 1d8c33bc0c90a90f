import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatHostPort, isWildcard, parseAnnounceAddress, parseCidr, parseFullAddress, parseHostPort, parseListenAddress, parsePeerId, parsePeerOrCidr } from '../../../src/config/addresses.ts';
import type { Parsed } from '../../../src/config/parsed.ts';
import { isLoopbackHost } from '../../../src/lib/addresses.ts';
import { PEERS } from './helpers.ts';

function right<T>(parsed: Parsed<T>): T {
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problem);
  return parsed.value;
}

function wrong(parsed: Parsed<unknown>): string {
  assert.equal(parsed.ok, false);
  return parsed.ok ? '' : parsed.problem;
}

const RULES = { zeroPort: true, names: false, example: '127.0.0.1:80' };

describe('peer ids', () => {
  it('are kept in the form that libp2p prints', () => {
    assert.equal(right(parsePeerId(PEERS[0])), PEERS[0]);
    assert.equal(right(parsePeerId('bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe')), PEERS[3]);
  });

  it('are refused when they are not', () => {
    for (const text of ['', 'PEER', '12D3KooW', `${PEERS[0]}x`, 5, null, {}]) {
      wrong(parsePeerId(text));
    }
  });
});

describe('full addresses', () => {
  it('name a route over TCP, WebSocket or QUIC and the peer', () => {
    for (const route of ['/ip4/203.0.113.7/tcp/4001', '/ip4/203.0.113.7/udp/4001/quic-v1', '/ip6/2001:db8::1/udp/4001/quic-v1', '/dns4/relay.example.org/udp/443/quic-v1', '/ip6/2001:db8::1/tcp/4001', '/dns4/relay.example.org/tcp/443', '/dns4/relay.example.org/tcp/443/tls/ws', '/dns4/relay.example.org/tcp/443/wss', '/ip4/203.0.113.7/tcp/443/tls/sni/relay.example.org/ws', '/ip4/203.0.113.7/tcp/80/ws', '/dns/a.org/tcp/1', '/dnsaddr/relays.example.org']) {
      assert.equal(right(parseFullAddress(`${route}/p2p/${PEERS[0]}`)), `${route}/p2p/${PEERS[0]}`);
    }
  });

  it('get their peer id in its usual form', () => {
    assert.equal(right(parseFullAddress('/ip4/203.0.113.7/tcp/4001/ipfs/bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe')), `/ip4/203.0.113.7/tcp/4001/p2p/${PEERS[3]}`);
  });

  it('are refused for what is wrong with them', () => {
    assert.match(wrong(parseFullAddress('/ip4/203.0.113.7/tcp/4001')), /does not say which peer/);
    assert.match(wrong(parseFullAddress('/ip4/203.0.113.7/tcp/4001/p2p/abc')), /"abc" is not a peer id/);
    assert.match(wrong(parseFullAddress(`/p2p/${PEERS[0]}`)), /cannot be dialled/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/udp/4001/quic/p2p/${PEERS[0]}`)), /cannot be dialled/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/tcp/4001/tls/p2p/${PEERS[0]}`)), /cannot be dialled/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/udp/443/ws/p2p/${PEERS[0]}`)), /cannot be dialled/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/tcp/0/ws/p2p/${PEERS[0]}`)), /port 0/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/udp/0/quic-v1/p2p/${PEERS[0]}`)), /port 0/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/tcp/0/p2p/${PEERS[0]}`)), /port 0/);
    assert.match(wrong(parseFullAddress(`/ip4/203.0.113.7/tcp/1/p2p/${PEERS[0]}/p2p-circuit/p2p/${PEERS[1]}`)), /through a relay/);
    for (const text of ['', '/', 'relay.example.org:4001', '/ip4/300.1.1.1/tcp/1', '/ip4/1.2.3.4/tcp/99999', '/ip4/1.2.3.4/tcp', 7, null, []]) {
      assert.match(wrong(parseFullAddress(text)), /is not a multiaddr|does not say/);
    }
  });
});

describe('addresses to listen on and to announce', () => {
  it('listen on an IP address and a TCP port, or a UDP port for QUIC, 0 included', () => {
    for (const text of ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/udp/4001/quic-v1', '/ip6/::1/udp/0/quic-v1', '/ip4/0.0.0.0/tcp/443/tls/ws', '/ip6/::/tcp/80/ws', '/ip6/::/tcp/0', '/ip6zone/eth0/ip6/fe80::1/tcp/4001']) {
      assert.equal(right(parseListenAddress(text)), text);
    }
    for (const text of ['/dns4/localhost/tcp/4001', '/ip4/0.0.0.0/udp/4001', '/ip4/0.0.0.0/udp/4001/quic-v1/webtransport', '/dns4/localhost/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4001/wss', '/ip4/0.0.0.0/tcp/4001/tls', '/ip4/0.0.0.0/tcp/443/tls/sni/a.example/ws', '/dns4/localhost/tcp/80/ws', `/ip4/0.0.0.0/tcp/4001/p2p/${PEERS[0]}`]) {
      assert.match(wrong(parseListenAddress(text)), /cannot be listened on/);
    }
  });

  it('announce what others can dial', () => {
    assert.equal(right(parseAnnounceAddress('/dns4/relay.example.org/tcp/4001')), '/dns4/relay.example.org/tcp/4001');
    assert.match(wrong(parseAnnounceAddress('/ip4/203.0.113.7/tcp/0')), /port 0/);
  });
});

describe('CIDRs', () => {
  it('are kept as the network that they name', () => {
    const networks = ['203.0.113.0/24', '203.0.113.7/24', '10.1.2.3', '2001:db8::1/32', '::1', '0.0.0.0/0', '::/0', '2001:db8:1:1ff::/57'].map((text) => right(parseCidr(text)));
    assert.deepEqual(networks, ['203.0.113.0/24', '203.0.113.0/24', '10.1.2.3/32', '2001:db8::/32', '::1/128', '0.0.0.0/0', '::/0', '2001:db8:1:180::/57']);
  });

  it('are refused where a parser would guess', () => {
    for (const text of ['10/8', '0x7f.1/8', '1.2.3.4/33', '::1/129', '1.2.3.4/-1', '1.2.3.4/ 8', 'fe80::1%eth0/64', '::ffff:10.0.0.0/104', '', 'a', 5, null]) {
      wrong(parseCidr(text));
    }
  });

  it('may stand beside peer ids', () => {
    assert.equal(right(parsePeerOrCidr(PEERS[0])), PEERS[0]);
    assert.equal(right(parsePeerOrCidr('10.0.0.1')), '10.0.0.1/32');
    assert.match(wrong(parsePeerOrCidr('10.0.0.0/40')), /prefix of 40 bits/);
    assert.match(wrong(parsePeerOrCidr('foo')), /neither a peer id nor a CIDR/);
  });
});

describe('hosts and ports', () => {
  it('take IPv6 in brackets', () => {
    assert.deepEqual(right(parseHostPort('[::1]:9641', RULES)), { host: '::1', port: 9641 });
    assert.match(wrong(parseHostPort('::1:9641', RULES)), /without brackets/);
    assert.match(wrong(parseHostPort('[::1', RULES)), /not a host and port/);
    assert.match(wrong(parseHostPort('[127.0.0.1]:80', RULES)), /not a host/);
  });

  it('take names and port 0 where those make sense', () => {
    assert.deepEqual(right(parseHostPort('localhost:0', RULES)), { host: 'localhost', port: 0 });
    assert.match(wrong(parseHostPort('db.internal:5432', RULES)), /not a host/);
    assert.deepEqual(right(parseHostPort('db.internal:5432', { ...RULES, names: true })), { host: 'db.internal', port: 5432 });
    assert.match(wrong(parseHostPort('localhost:0', { ...RULES, zeroPort: false })), /port 0 cannot be used/);
  });

  it('are refused otherwise', () => {
    for (const text of ['', ':80', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '127.0.0.1:x', '1.2.3:80', '300.0.0.1:80', 'http://a:80', 80, null]) {
      wrong(parseHostPort(text, RULES));
    }
  });

  it('give back what they wrote', () => {
    const hosts = fc.oneof(fc.ipV4(), fc.ipV6().filter((host) => !host.includes('.')), fc.constant('localhost'));
    fc.assert(fc.property(fc.record({ host: hosts, port: fc.integer({ min: 0, max: 65_535 }) }, { noNullPrototype: true }), (at) => assert.deepEqual(right(parseHostPort(formatHostPort(at), RULES)), at)));
  });

  it('know who can reach them', () => {
    assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1', '0.0.0.0', '10.0.0.1', '::'].map(isLoopbackHost), [true, true, true, true, true, false, false, false]);
    assert.deepEqual(['0.0.0.0', '::', '127.0.0.1', 'localhost'].map(isWildcard), [true, true, false, false]);
  });
});

it('no input makes a parser throw', () => {
  const parsers = [parsePeerId, parseFullAddress, parseListenAddress, parseAnnounceAddress, parseCidr, parsePeerOrCidr, (input: unknown) => parseHostPort(input, RULES)];
  const inputs = fc.oneof(fc.anything(), fc.string(), fc.stringMatching(/^[/0-9a-f.:%[\]]{1,40}$/));
  fc.assert(fc.property(inputs, (input) => parsers.forEach((parse) => assert.equal(typeof parse(input).ok, 'boolean'))));
});
