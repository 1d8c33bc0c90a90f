import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { ClassLimits, RelayConfig } from '../../../src/config/domain.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { Policy } from '../../../src/relay/policy.ts';
import { Refused } from '../../../src/relay/refusal.ts';
import { FakeVerifier, membersOnly } from '../../support/fake-verifier.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const ANYONE = { allow: [], deny: [] };
const rates = (set: Partial<ClassLimits['rates']>): ClassLimits => ({ ...INTERNAL_LIMITS, rates: { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined, ...set } });
const config = (set: Partial<RelayConfig>): RelayConfig => ({
  open: true,
  limits: rates({}),
  memberLimits: rates({}),
  prefixes: { ipv4: 32, ipv6: [56, 48], exempt: [] },
  asnFile: undefined,
  maxEventLoopDelayMs: Infinity,
  region: undefined,
  alternatives: [],
  access: { reserve: ANYONE, connect: ANYONE, target: ANYONE },
  ...set,
});
const refusal = (limit: string, details: object = {}) => (error: unknown): boolean => {
  assert.ok(error instanceof Refused, String(error));
  assert.equal(error.limit, limit);
  Object.entries(details).forEach(([name, value]) => assert.equal(error.details[name as keyof typeof error.details], value, name));
  return true;
};

describe('Policy', () => {
  let ann: PeerId;
  let bob: PeerId;
  const home = multiaddr('/ip4/192.0.2.7/tcp/1');
  before(async () => {
    [ann, bob] = (await makePeerIds(2)) as [PeerId, PeerId];
  });
  const make = (set: Partial<RelayConfig>, members: string[] = [], clock = new ManualClock(), internal = new Set<string>()): Policy => new Policy(config(set), { realm: membersOnly(members), verifier: new FakeVerifier(), internal }, clock);

  it('puts members, the node\'s own check and anyone else in classes of their own', () => {
    const policy = make({}, [ann.toString()], new ManualClock(), new Set([bob.toString()]));
    assert.equal(policy.membership.poolOf(ann), 'member');
    assert.equal(policy.membership.poolOf(bob), 'internal');
    assert.equal(make({}).membership.poolOf(ann), 'public');
  });

  it('closed to the public serves members only, and its own check', () => {
    const policy = make({ open: false }, [ann.toString()]);
    assert.equal(policy.membership.poolOf(ann), 'member');
    const serve = (by: Policy, peer: PeerId): void => by.membership.assertServed(by.membership.standingOf(peer, 'reserve', undefined));
    serve(policy, ann);
    assert.throws(() => serve(policy, bob), refusal('members only'));
    serve(make({ open: false }, [], new ManualClock(), new Set([bob.toString()])), bob);
  });

  it('asks each access list for its own request, and none for the node\'s own check', () => {
    for (const list of ['reserve', 'connect', 'target'] as const) {
      const policy = make({ access: { reserve: ANYONE, connect: ANYONE, target: ANYONE, [list]: { allow: [], deny: [ann.toString()] } } });
      for (const asked of ['reserve', 'connect', 'target'] as const) {
        const ask = (): void => policy.checkAccess(asked, 'public', ann, home);
        if (asked === list) assert.throws(ask, refusal(`access.${list}`));
        else ask();
      }
      policy.checkAccess(list, 'internal', ann, home);
    }
  });

  it('takes so many requests of a peer and of a prefix, and says when the next is welcome', () => {
    for (const request of ['reserve', 'connect'] as const) {
      for (const [by, keys] of [['Peer', []], ['Prefix', ['192.0.2.7/32']]] as const) {
        const clock = new ManualClock();
        const policy = make({ limits: rates({ [`${request}Per${by}`]: { count: 2, perMs: 60_000 } }) }, [], clock);
        const spend = (): void => policy.spend(request, 'public', ann, keys);
        spend();
        spend();
        assert.throws(spend, refusal(`rates.${request}Per${by}`, { current: 2, maximum: 2, retryAfterMs: 30_000 }));
        policy.spend(request === 'reserve' ? 'connect' : 'reserve', 'public', ann, keys);
        policy.spend(request, 'member', ann, keys);
        clock.advance(29_999);
        assert.throws(spend, refusal(`rates.${request}Per${by}`));
        clock.advance(1);
        spend();
        assert.throws(spend);
      }
    }
  });

  it('spends nothing for a request that it refuses: one peer cannot use up what its neighbours have', () => {
    const clock = new ManualClock();
    const policy = make({ limits: rates({ connectPerPeer: { count: 1, perMs: 60_000 }, connectPerPrefix: { count: 3, perMs: 60_000 } }) }, [], clock);
    const neighbours = ['192.0.2.7/32'];
    policy.spend('connect', 'public', ann, neighbours);
    for (let i = 0; i < 10; i++) assert.throws(() => policy.spend('connect', 'public', ann, neighbours), refusal('rates.connectPerPeer'));
    policy.spend('connect', 'public', bob, neighbours);
  });

  it('spends nothing of a prefix when another of the same address is empty', () => {
    const policy = make({ limits: rates({ connectPerPrefix: { count: 2, perMs: 60_000 } }) });
    policy.spend('connect', 'public', ann, ['a/48']);
    policy.spend('connect', 'public', ann, ['a/48']);
    assert.throws(() => policy.spend('connect', 'public', ann, ['a/56', 'a/48']), refusal('rates.connectPerPrefix'));
    policy.spend('connect', 'public', ann, ['a/56']);
    policy.spend('connect', 'public', ann, ['a/56']);
  });
});
