import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderCluster } from '../../../src/cli/cluster.ts';
import { healthyAddrs, zoneRecords } from '../../../src/cli/dnsaddr.ts';
import { ALICE, BOB, FakeView } from '../admin/fake-view.ts';
import { someCluster } from '../admin/some-cluster.ts';

const STYLE = { wide: false, now: Date.now() };

/** As it comes over the API: without infinities. */
const view = (changes: Parameters<typeof someCluster>[0] = {}): ReturnType<typeof someCluster> => JSON.parse(JSON.stringify(someCluster(changes))) as ReturnType<typeof someCluster>;

test('a cluster has its sums, its relays and its fullest limits', () => {
  const shown = renderCluster(view(), STYLE);
  assert.match(shown, /^cluster +example, by gossip\nproblem +none\nrelays +3\nreservations +30 of at most 300\ncircuits +6 \(no limit\)\nrelayed +3 GiB\nsecret +0a1b2c3d\nforwarded +2 to other relays, 1 from other relays$/m);
  assert.match(shown, /^12D3…\S{8} \* +ready +- +10\/100 +2 +1 GiB +yes +eu$/m);
  assert.match(shown, /^12D3…\S{8} +ready +yes +10\/100 +2 +1 GiB +yes +us$/m);
  assert.match(shown, /^12D3…\S{8} +draining +NO +10\/100 +2 +1 GiB +NO +-$/m);
  assert.match(shown, /^reservations\.perPrefix +192\.0\.2\.0\/24 +5 +15 +16 +94 % +6$/m);
  assert.match(shown, /^quotas\.peer +12D3…\S{8} +1 GiB +- +10 GiB +- +-$/m);
  assert.doesNotMatch(shown, /null|undefined|NaN/);
  assert.ok(shown.split('\n').every((line) => line.length <= 81), shown);
  assert.match(renderCluster(view(), { ...STYLE, wide: true }), /12\.5 ms +\+3ms ±7ms +0\.1\.0 +0a1b2c3d +800ms ago +\/ip4/);
});

test('a cluster whose secret is being changed shows both, and who has which', () => {
  const { relays } = view();
  const shown = renderCluster(view({ relays: relays.map((row) => ({ ...row, secrets: row.self ? ['0a1b2c3d', '4e5f6a7b'] : ['4e5f6a7b', '0a1b2c3d'] })) }), { ...STYLE, wide: true });
  assert.match(shown, /^secret +0a1b2c3d \(4e5f6a7b is accepted too: a change of the secret is not finished\)$/m);
  assert.match(shown, /ready +yes .* 4e5f6a7b,0a1b2c3d +800ms ago/);
});

test('a limit says whose it is, and one of which nothing is used is left out', () => {
  const row = { own: 1, total: null, maximum: 4, share: null };
  const shown = renderCluster(view({
    limits: [
      { ...row, limit: 'reservations.perPrefix', key: 'public/reservations.perPrefix/192.0.2.0/24' },
      { ...row, limit: 'circuits.perSource', key: `member/circuits.perSource/${ALICE}` },
      { ...row, limit: 'quotas.realm', key: 'quota/realm/home' },
      { ...row, limit: 'quotas.peer', key: `quota/peer/${BOB}`, own: 0, total: 0 },
    ],
  }), STYLE);
  assert.match(shown, /^reservations\.perPrefix +192\.0\.2\.0\/24 +1/m);
  assert.match(shown, /^circuits\.perSource +12D3…\S{8} \(member\) +1/m);
  assert.match(shown, /^quotas\.realm +home +1 B/m);
  assert.doesNotMatch(shown, /quotas\.peer/);
});

test('a cluster whose store is away says why, and one without limits says so', () => {
  assert.match(renderCluster(view({ backend: 'redis', problem: 'Redis at 127.0.0.1:6379: no answer', limits: [] }), STYLE), /by a store \(redis\)\nproblem +Redis at 127\.0\.0\.1:6379: no answer\n[\s\S]*No limit over the cluster is in use\.\n$/);
});

test('zone records are of relays that serve, one an address', () => {
  const cluster = view();
  const [self, other] = [cluster.relays[0]?.addrs[0], cluster.relays[1]?.addrs[0]];
  assert.equal(zoneRecords(healthyAddrs(cluster, []), { name: 'relays.example.org', ttlSeconds: 60 }), `_dnsaddr.relays.example.org. 60 IN TXT "dnsaddr=${self}"\n_dnsaddr.relays.example.org. 60 IN TXT "dnsaddr=${other}"\n`);
  assert.equal(zoneRecords(['/ip4/1.2.3.4/tcp/1'], { name: undefined, ttlSeconds: 300 }), '_dnsaddr 300 IN TXT "dnsaddr=/ip4/1.2.3.4/tcp/1"\n');
});

test('zone records of a client are of the relays that it holds or has in reserve', () => {
  const candidates = new FakeView().relays();
  assert.deepEqual(healthyAddrs(undefined, candidates), [`/ip4/198.51.100.4/tcp/4001/p2p/${BOB}`]);
  assert.deepEqual(healthyAddrs(undefined, candidates.map((row) => ({ ...row, draining: true }))), []);
  assert.deepEqual(healthyAddrs(undefined, [{ ...candidates[0]!, state: 'standby', peer: ALICE, addr: '/ip4/198.51.100.5/tcp/4001' }]), [`/ip4/198.51.100.5/tcp/4001/p2p/${ALICE}`]);
});

test('zone records without a relay are an error, and long texts are cut where DNS wants it', () => {
  assert.throws(() => zoneRecords([], { name: 'a.example', ttlSeconds: 1 }), { code: 'NO_ADDRESS' });
  const long = `/dns4/${'a'.repeat(300)}`;
  const parts = [...zoneRecords([long], { name: undefined, ttlSeconds: 1 }).matchAll(/"([^"]*)"/g)].map(([, part = '']) => part);
  assert.deepEqual([parts.length, parts.join(''), (parts[0] ?? '').length], [2, `dnsaddr=${long}`, 255]);
});
