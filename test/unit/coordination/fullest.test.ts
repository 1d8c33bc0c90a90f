import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fullestOf } from '../../../src/coordination/view.ts';

const window = { name: '2026-11', startsAt: 0, endsAt: 1 } as never;

it('of each limit the fullest key counts, by what the cluster is known to hold, else by what this relay does', () => {
  const places = [
    { limit: 'reservations.perPeer' as const, key: 'public/reservations.perPeer/a', count: 1, maximum: 4 },
    { limit: 'reservations.perPeer' as const, key: 'public/reservations.perPeer/b', count: 3, maximum: 4 },
    { limit: 'reservations.max' as const, key: 'public/reservations.max/*', count: 10, maximum: 100 },
  ];
  const meter = { limit: 'quotas.realm' as const, key: 'quota/realm/home', window, quota: { bytes: 1_000, per: 'month' as const }, own: 300, told: 100, total: 600, totalAt: 5, isAnnounced: false, isLost: false };
  const shareOf = (key: string): { share: number | null; total: number | null } => (key.endsWith('*') ? { share: 20, total: 90 } : { share: null, total: null });
  assert.deepEqual(Object.fromEntries(fullestOf({ places, meters: [meter], shareOf })), { 'reservations.perPeer': 0.75, 'reservations.max': 0.9, 'quotas.realm': 0.8 });
  assert.equal(fullestOf({ places: [], meters: [], shareOf }).size, 0);
});
