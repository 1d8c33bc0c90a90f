import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import type { ClassLimits, RelayConfig } from '../../../src/config/domain.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { RelayService } from '../../../src/relay/index.ts';
import { FakeHost } from '../../support/fake-host.ts';
import { FakeVerifier, membersOnly } from '../../support/fake-verifier.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const ANYONE = { allow: [], deny: [] };
const LIMITS: ClassLimits = { ...INTERNAL_LIMITS, reservations: { max: 10, perPrefix: Infinity, perAsn: Infinity, ttlMs: 3_600_000 } };
const CONFIG: RelayConfig = { open: true, limits: LIMITS, memberLimits: LIMITS, prefixes: { ipv4: 32, ipv6: [56], exempt: [] }, asnFile: undefined, maxEventLoopDelayMs: 500, region: undefined, alternatives: [], access: { reserve: ANYONE, connect: ANYONE, target: ANYONE } };

describe('the addresses in a reservation', () => {
  let host: FakeHost;
  let clock: ManualClock;
  let service: RelayService;
  let asked: number;
  let own: string;

  beforeEach(async () => {
    host = await FakeHost.create();
    clock = new ManualClock();
    asked = 0;
    own = '/ip4/203.0.113.1/tcp/4001';
    host.getMultiaddrs = () => (asked++, [multiaddr(own)]);
    service = new RelayService({ host, config: CONFIG, realm: membersOnly([]), verifier: new FakeVerifier(), internalPeers: new Set(), eventLoopDelayMs: () => 0, addresses: { announced: false, allowPrivate: true }, directory: undefined, version: '0.0.0', clock, log: silentLogger, registry: new Registry() });
    await service.start();
  });
  afterEach(() => service.stop());

  it('are worked out once a second, however many come', async () => {
    const peers = (await makePeerIds(4)).map((id) => host.connect(id));
    const reserve = async (i: number): Promise<string[]> => {
      const { reservation } = (await peers[i]?.request({ type: 'RESERVE' })) ?? {};
      return (reservation?.addrs ?? []).map((addr) => multiaddr(addr).toString());
    };
    const expected = (addr: string): string[] => [`${addr}/p2p/${host.peerId}`];
    assert.deepEqual(await reserve(0), expected(own));
    const before = own;
    own = '/ip4/203.0.113.2/tcp/4001';
    clock.advance(999);
    assert.deepEqual(await reserve(1), expected(before));
    assert.equal(asked, 1);
    clock.advance(1);
    assert.deepEqual(await reserve(2), expected(own));
    assert.deepEqual(await reserve(3), expected(own));
    assert.equal(asked, 2);
  });
});
