import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CLUSTER_LIMITS, MAX_KEY_BYTES } from '../../../../src/lib/cluster/relay-cluster.ts';
import type { ClusterLimit } from '../../../../src/lib/cluster/relay-cluster.ts';
import type { Claimant } from '../../../../src/relay/global/claimant.ts';
import { circuitHolds, isEmpty, quotasOf, requestRates, reservationHolds, targetQuotas } from '../../../../src/relay/global/claims.ts';
import type { ClusterTerms } from '../../../../src/relay/global/terms.ts';
import { clusterTerms } from '../../../support/fake-cluster.ts';

const MEMBER: Claimant = { class: 'member', peer: 'P', prefixes: ['192.0.2.0/24'], asn: '64500', tokenId: 'a1b2', ownCircuits: undefined, realm: 'home' };
const STRANGER: Claimant = { ...MEMBER, class: 'public', tokenId: undefined, realm: undefined };

const maximum = fc.oneof(fc.constant(Infinity), fc.nat(1000));
const rate = fc.option(fc.record({ count: fc.nat(100), perMs: fc.constant(60_000) }), { nil: undefined });
const quota = fc.option(fc.record({ bytes: fc.nat(1 << 30), per: fc.constantFrom('d' as const, 'month' as const) }), { nil: undefined });
const rates = fc.record({ reservePerPeer: rate, reservePerPrefix: rate, connectPerPeer: rate, connectPerPrefix: rate });
const reservations = { max: maximum, perPeer: maximum, perPrefix: maximum, perAsn: maximum };
const circuits = { max: maximum, perSource: maximum, perTarget: maximum, perPrefix: maximum };
const terms: fc.Arbitrary<ClusterTerms> = fc.record({
  limits: fc.record({ reservations: fc.record(reservations), circuits: fc.record(circuits), rates, quotas: fc.record({ peer: quota, prefix: quota, realm: quota, token: quota }) }),
  memberLimits: fc.record({ reservations: fc.record({ ...reservations, perToken: maximum }), circuits: fc.record({ ...circuits, perToken: maximum }), rates }),
});
const claimant: fc.Arbitrary<Claimant> = fc
  .record({ peer: fc.string({ unit: 'binary', maxLength: 400 }), prefixes: fc.array(fc.string(), { maxLength: 2 }), asn: fc.option(fc.nat().map(String), { nil: undefined }), ownCircuits: fc.option(fc.nat(9), { nil: undefined }) })
  .chain((who) => fc.oneof(fc.constant({ ...STRANGER, ...who, ownCircuits: undefined }), fc.constant({ ...MEMBER, ...who, tokenId: undefined, ownCircuits: undefined }), fc.constant({ ...MEMBER, ...who })));

/** Every claim that a peer's requests can make, with what it asks for. */
function allOf(limits: ClusterTerms, who: Claimant, target = 'T'): [limit: ClusterLimit, key: string, asks: unknown][] {
  return [
    ...[...reservationHolds(limits, who), ...circuitHolds(limits, who, target)].map(({ limit, key, maximum: most }) => [limit, key, most] as [ClusterLimit, string, unknown]),
    ...[...requestRates(limits, who, 'reserve'), ...requestRates(limits, who, 'connect')].map(({ limit, key, rate: of }) => [limit, key, of] as [ClusterLimit, string, unknown]),
    ...[...quotasOf(limits, who), ...targetQuotas(limits, target)].map(({ limit, key, quota: of }) => [limit, key, of] as [ClusterLimit, string, unknown]),
  ];
}

/** What the configuration sets for a limit's name. */
function setFor(limits: ClusterTerms, who: Claimant, limit: ClusterLimit): unknown {
  const [group, name] = limit.split('.') as [string, string];
  const from = (group === 'quotas' ? limits.limits : who.class === 'member' ? limits.memberLimits : limits.limits) as unknown as Record<string, Record<string, unknown>>;
  return from[group]?.[name];
}

describe('claims over the cluster', () => {
  it('are never made for a limit that is not set, and ask for what is set', () => {
    fc.assert(fc.property(terms, claimant, (limits, who) => {
      for (const [limit, , asks] of allOf(limits, who)) {
        const set = setFor(limits, who, limit);
        assert.ok(set !== undefined && set !== Infinity, `${limit} is not set`);
        assert.deepEqual(asks, limit === 'circuits.perSource' && who.ownCircuits !== undefined ? who.ownCircuits : set);
      }
    }));
  });

  it('are made for every limit that is set, once for each thing that it counts', () => {
    const all = { max: 1, perPeer: 1, perPrefix: 1, perAsn: 1, perToken: 1 };
    const sides = { max: 1, perSource: 1, perTarget: 1, perPrefix: 1, perToken: 1 };
    const often = { count: 1, perMs: 1 };
    const set = { reservations: all, circuits: sides, rates: { reservePerPeer: often, reservePerPrefix: often, connectPerPeer: often, connectPerPrefix: often } };
    const day = { bytes: 1, per: 'd' } as const;
    const limits = clusterTerms({ limits: { ...set, quotas: { peer: day, prefix: day, realm: day, token: day } }, memberLimits: set });
    const named = (who: Claimant): Set<string> => new Set(allOf(limits, who).map(([limit]) => limit));
    assert.deepEqual(named(MEMBER), new Set(CLUSTER_LIMITS));
    assert.deepEqual(named(STRANGER), new Set(CLUSTER_LIMITS.filter((limit) => !limit.endsWith('perToken') && limit !== 'quotas.realm' && limit !== 'quotas.token')));
    const [twoPrefixes, none] = [{ ...STRANGER, prefixes: ['2001:db8::/48', '2001:db8::/56'] }, { ...STRANGER, prefixes: [] }];
    const ofPrefixes = (who: Claimant): string[] => allOf(limits, who).flatMap(([limit, key]) => (limit === 'reservations.perPrefix' ? [key] : []));
    assert.deepEqual(ofPrefixes(twoPrefixes), ['public/reservations.perPrefix/2001:db8::/48', 'public/reservations.perPrefix/2001:db8::/56']);
    assert.deepEqual(allOf(limits, none).filter(([limit]) => limit.toLowerCase().includes('prefix')), [], 'an exempt address');
  });

  it('are counted a class each, but for quotas, which have none', () => {
    const day = { bytes: 9, per: 'd' } as const;
    const limits = clusterTerms({ limits: { reservations: { max: 3 }, quotas: { peer: day, realm: day } }, memberLimits: { reservations: { max: 4 } } });
    const keys = (who: Claimant): string[] => allOf(limits, who, 'T').map(([, key]) => key);
    assert.deepEqual(keys(STRANGER), ['public/reservations.max/*', 'quota/peer/P', 'quota/peer/T']);
    assert.deepEqual(keys(MEMBER), ['member/reservations.max/*', 'quota/peer/P', 'quota/realm/home', 'quota/peer/T']);
  });

  it('have keys of a bounded length, that differ where what they count does', () => {
    fc.assert(fc.property(terms, claimant, fc.string({ unit: 'binary', maxLength: 5000 }), (limits, who, target) => {
      for (const [, key] of allOf(limits, who, target)) assert.ok(Buffer.byteLength(key) <= MAX_KEY_BYTES, key);
    }));
    const limits = clusterTerms({ limits: { circuits: { perTarget: 1 } } });
    const key = (target: string): string | undefined => circuitHolds(limits, STRANGER, target)[0]?.key;
    assert.notEqual(key('x'.repeat(4000)), key(`${'x'.repeat(3999)}y`));
  });

  it('are none at all where no limit is set', () => {
    assert.deepEqual([...allOf(clusterTerms(), MEMBER), ...allOf(clusterTerms(), STRANGER)], []);
    assert.equal(isEmpty({ holds: [], rates: [], quotas: [] }), true);
    const [hold] = reservationHolds(clusterTerms({ limits: { reservations: { max: 1 } } }), STRANGER);
    assert.ok(hold !== undefined);
    assert.equal(isEmpty({ holds: [hold], rates: [], quotas: [] }), false);
  });
});
