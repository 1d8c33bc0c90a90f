import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownAddrs, reachable } from '../../../../src/cli/invitation/relay-addresses.ts';
import { assertConfig, loadConfig } from '../../../../src/config/index.ts';
import type { RelaydConfig } from '../../../../src/config/domain.ts';

function config(network: object, role = 'both'): RelaydConfig {
  return assertConfig(loadConfig({ inline: { role, network } }));
}

const PUBLIC = '/ip4/203.0.113.7/tcp/4001';
const LAN = '/ip4/192.168.1.5/tcp/4001';
const LOOPBACK = '/ip4/127.0.0.1/tcp/4001';
const NAME = '/dns4/relay.example.org/tcp/4001';
// Of the documentation's blocks only a name counts as public: they belong to nobody.
const ROUTED = '/ip4/8.8.8.8/tcp/4001';

describe('where guests find a relay', () => {
  it('is what is announced, else what is listened on, with a wildcard as the addresses that this machine has', () => {
    assert.deepEqual(ownAddrs(config({ listen: [LOOPBACK], announce: [NAME] })).map(String), [NAME]);
    assert.deepEqual(ownAddrs(config({ listen: [PUBLIC, '/ip4/198.51.100.1/udp/4001/quic-v1'] })).map(String), [PUBLIC, '/ip4/198.51.100.1/udp/4001/quic-v1']);
    const wildcard = ownAddrs(config({ listen: ['/ip4/0.0.0.0/udp/4001/quic-v1'] })).map(String);
    assert.ok(wildcard.includes('/ip4/127.0.0.1/udp/4001/quic-v1'), wildcard.join(' '));
    assert.ok(wildcard.every((addr) => !addr.includes('0.0.0.0')));
  });

  it('is nowhere for a port that is not known yet, and for a node that is no relay', () => {
    assert.deepEqual(ownAddrs(config({ listen: ['/ip4/127.0.0.1/tcp/0'] })), []);
    assert.deepEqual(ownAddrs(config({ listen: [PUBLIC] }, 'client')), []);
  });

  it('is public, and first what is, unless the network is a private one', () => {
    assert.deepEqual(reachable([LOOPBACK, LAN, ROUTED, NAME, ROUTED], config({})), [ROUTED, NAME]);
    assert.deepEqual(reachable([LOOPBACK, LAN, ROUTED], config({ allowPrivate: true })), [ROUTED, LAN]);
    assert.deepEqual(reachable([LOOPBACK], config({ allowPrivate: true })), [LOOPBACK]);
  });

  it('is said with what would help when there is no such place', () => {
    assert.throws(() => reachable([LAN, LOOPBACK], config({})), {
      code: 'NO_ADDRESS',
      message: /only this machine and its own network reach \/ip4\/192\.168\.1\.5\/tcp\/4001 and \/ip4\/127.*--relay \/ip4\/YOUR-PUBLIC-ADDRESS\/tcp\/4001 or network\.announce.*network\.allowPrivate=true/,
    });
    assert.throws(() => reachable([], config({}, 'client')), { message: /none is known; name a relay with --relay/ });
  });
});
