import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CIRCUITS, circuitTables } from '../../../src/cli/circuits.ts';
import { renderListing } from '../../../src/cli/listing.ts';
import type { Listing } from '../../../src/cli/listing.ts';
import { PEERS } from '../../../src/cli/peers.ts';
import { RELAYS } from '../../../src/cli/relays.ts';
import { RESERVATIONS } from '../../../src/cli/reservations.ts';
import { renderStatus } from '../../../src/cli/status.ts';
import { renderTable } from '../../../src/cli/table.ts';
import { TUNNELS } from '../../../src/cli/tunnels.ts';
import { ALICE, BOB, FakeView, SELF } from '../admin/fake-view.ts';

const style = (wide = false): { wide: boolean; now: number } => ({ wide, now: Date.now() });

test('columns stand under their titles, numbers to the right', () => {
  const columns = [{ title: 'NAME', value: (row: [string, number]) => row[0] }, { title: 'N', value: (row: [string, number]) => String(row[1]), right: true }, { title: 'END', value: () => '' }];
  assert.equal(renderTable(columns, [['a', 5], ['größer', 1234]], style()), 'NAME       N  END\na          5\ngrößer  1234\n');
});

test('an empty list says so in words', () => {
  for (const listing of [RESERVATIONS, CIRCUITS, PEERS, RELAYS, TUNNELS] as Listing<never>[]) {
    assert.match(renderListing(listing, [], style()), /^(No|There)[^\n]*\.\n$/);
  }
});

test('an answer that is not a list is an error, not a crash', () => {
  assert.throws(() => renderListing(PEERS, { rows: [] }, style()), { code: 'INTERNAL' });
});

test('every listing shows the rows of the contract', async () => {
  const view = new FakeView();
  assert.match(renderListing(RESERVATIONS, view.reservations(), style()), /^12D3…\S{8}  member  \/ip4\/192\.0\.2\.2\/tcp\/50123  3m 20s ago  in 56m 40s +12 +1$/m);
  assert.match(renderListing(CIRCUITS, view.circuits(), style()), /^ 7  12D3…\S{8}  12D3…\S{8}  public  1m 5s +128 KiB  900 B +0 B +1s  -$/m);
  assert.match(renderListing(PEERS, await view.peers(), style()), /inbound +direct +- +3m 20s +3  yes .* go-libp2p\/0\.44\?\[31m/);
  assert.match(renderListing(RELAYS, view.relays(), style()), /backoff +- +100 % +- +50 +- +bootstrap +- .*; again in 42s$/m);
  assert.match(renderListing(TUNNELS, view.tunnels(), style()), /^ssh +expose +127\.0\.0\.1:22 +12D3…\S{8} +1 +12 +2 +0 +-$/m);
});

test('what became of a circuit stands beside it', () => {
  const row = { peer: BOB, addr: `/ip4/192.0.2.1/tcp/4001/p2p/${ALICE}/p2p-circuit/p2p/${BOB}`, direction: 'inbound', path: 'relay', via: ALICE, upgrade: 'failed', upgradeReason: 'no way', openedAt: new Date().toISOString(), streams: 2, agent: undefined, reserved: false } as const;
  assert.match(renderListing(PEERS, [row], style(true)), new RegExp(`relay +${ALICE} +failed`));
  const both = circuitTables(new FakeView().circuits(), [row], style(true));
  assert.match(both, /CLASS[\s\S]*Through relays, this node's own:\n[\s\S]*failed +no way$/m);
  assert.doesNotMatch(circuitTables([], [row], style()), /CLASS/);
  assert.doesNotMatch(circuitTables(new FakeView().circuits(), [], style()), /own/);
});

test('wide tables have peer ids in full', () => {
  const table = renderListing(CIRCUITS, new FakeView().circuits(), style(true));
  assert.ok(table.includes(ALICE) && table.includes(BOB));
});

test('what makes a peer a member is in the wide table', () => {
  const rows = new FakeView().reservations().map((row) => ({ ...row, token: '0123456789abcdef' }));
  assert.match(renderListing(RESERVATIONS, rows, style(true)), / CIRCUITS  TOKEN\n.* 0123456789abcdef$/m);
  assert.match(renderListing(RESERVATIONS, new FakeView().reservations(), style(true)), / +-$/m);
  assert.doesNotMatch(renderListing(RESERVATIONS, rows, style()), /TOKEN\n|0123456789abcdef/);
});

test('a circuit over two relays says which, and the wide table by which token it was opened', () => {
  const [row] = new FakeView().circuits();
  assert.ok(row !== undefined);
  const rows = [{ ...row, forwarded: { relay: SELF, as: 'entry' as const }, token: '0123456789abcdef' }, { ...row, forwarded: { relay: SELF, as: 'exit' as const } }];
  assert.match(renderListing(CIRCUITS, rows, style()), /FORWARDED\n.* to 12D3…\S{8}\n.* from 12D3…\S{8}$/m);
  assert.match(renderListing(CIRCUITS, rows, style(true)), new RegExp(`FORWARDED +TOKEN\\n.* to ${SELF} +0123456789abcdef\\n.* from ${SELF} +-$`, 'm'));
});

test('the status tells of the realm: whose it is, what is revoked, and which token is shown until when', () => {
  const at = Date.parse('2026-01-01T00:00:00Z');
  const realm = { name: 'home', authority: 'ed25519:AAAA', revocations: 2, token: { id: '0123456789abcdef', expiresAt: '2026-01-11T00:00:00Z' } };
  assert.match(renderStatus({ realm }, at), /^realm +home, authority ed25519:AAAA, 2 revocations\n +own token 0123456789abcdef, ends in 10d$/m);
  assert.match(renderStatus({ realm }, at + 11 * 86_400_000), /own token 0123456789abcdef, over$/m);
  assert.match(renderStatus({ realm: { name: null, authority: null, revocations: 0, token: null } }), /^realm +without a name, no authority\n +no token of its own$/m);
  assert.doesNotMatch(renderStatus({ state: 'ready' }), /realm/);
});

test('the status tells of the cluster, and why it is away', () => {
  const cluster = { cluster: 'north', backend: 'redis', problem: null, relays: 3 };
  assert.match(renderStatus({ cluster }), /^cluster +north, by redis, 3 relays known$/m);
  assert.match(renderStatus({ cluster: { ...cluster, problem: 'Redis at redis://127.0.0.1:6379 does not answer' } }), /3 relays known\n +away, .*: Redis at redis:\/\/127\.0\.0\.1:6379 does not answer$/m);
  assert.doesNotMatch(renderStatus({ state: 'ready' }), /cluster/);
});

test('the status has what there is, and copes with what there is not', () => {
  const full = renderStatus(new FakeView().status());
  assert.match(full, new RegExp(`^peer +${SELF}$`, 'm'));
  assert.match(full, /^state +ready, up 2h 3m$/m);
  assert.match(full, /^reservations +2 of at most 128$/m);
  assert.match(full, /^circuits +1 \(no limit\)$/m);
  assert.match(full, /^relays held +1 of 2 wanted$/m);
  const bare = renderStatus({ peerId: SELF, state: 'starting', client: { desired: 2, held: 0, circuitAddrs: [] } });
  assert.match(bare, /^addresses +none$/m);
  assert.match(bare, /^reachable at +no relay yet$/m);
  assert.doesNotMatch(bare, /undefined|NaN|null|without relay/);
  const reached = renderStatus({ peerId: SELF, state: 'ready', client: { desired: 0, held: 0, circuitAddrs: [], reachability: 'public', reachableAddrs: ['/ip4/192.0.2.1/tcp/4001'] } });
  assert.match(reached, /^without relay +yes, as peers confirm$/m);
  assert.match(reached, /^reachable at +\/ip4\/192\.0\.2\.1\/tcp\/4001$/m);
  assert.match(renderStatus({ client: { reachability: 'later\u001b' } }), /^without relay +later\?$/m);
});
