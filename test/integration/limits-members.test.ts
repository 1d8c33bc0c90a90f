import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes } from '../support/bytes.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { RelayUnderTest, withRelay } from '../support/relay-under-test.ts';
import type { RelayKeys } from '../support/relay-under-test.ts';
import { until } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';

/** A relay that knows `members` peers as members; they are not connected yet. */
async function withMembers(members: number, keys: RelayKeys, use: (relay: RelayUnderTest, members: WirePeer[]) => Promise<void>): Promise<void> {
  const peers = await Promise.all(Array.from({ length: members }, () => WirePeer.start()));
  try {
    await withRelay({ ...keys, realm: { members: peers.map(({ peerId }) => peerId.toString()) } }, async (relay) => {
      await Promise.all(peers.map((peer) => peer.connect(relay.addr)));
      await use(relay, peers);
    });
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

describe('relay.memberLimits', { concurrency: 2 }, () => {
  it('are a pool of reservations of their own: full for the public, free for members, and the other way round', () =>
    withMembers(2, { relay: { limits: { reservations: { max: 1 } }, memberLimits: { reservations: { max: 1 } } } }, async (relay, [member, second]) => {
      assert.ok(member !== undefined && second !== undefined);
      await relay.reserved();
      await assertRefused(relay, await (await relay.peer()).reserve(), { request: 'reserve', status: 200, limit: 'reservations.max', current: 1, maximum: 1 });
      assertOk(await member.reserve());
      await assertRefused(relay, await second.reserve(), { request: 'reserve', status: 200, limit: 'reservations.max', current: 1, maximum: 1, class: 'member' });
      const metrics = await relay.metrics();
      assert.deepEqual(['public', 'member'].map((name) => metrics.get(`relayd_relay_reservations{class="${name}"}`)), [1, 1]);
      assert.deepEqual((await relay.counts()).reservations, { count: 2, max: 2 });
      await member.disconnect();
      await until(async () => (await relay.counts()).reservations.count === 1, 'the member to be gone');
      assertOk(await second.reserve());
    }));

  it('are a pool of circuits of their own: what the source is decides', () =>
    withMembers(1, { relay: { limits: { circuits: { max: 1 } }, memberLimits: { circuits: { max: 1 } } } }, async (relay, [member]) => {
      assert.ok(member !== undefined);
      const [target, stranger] = [await relay.reserved(), await relay.peer()];
      assertOk(await stranger.connectTo(target.peerId));
      await assertRefused(relay, await stranger.connectTo(target.peerId), { request: 'connect', status: 201, limit: 'circuits.max', current: 1, maximum: 1 });
      assertOk(await member.connectTo(target.peerId));
      await assertRefused(relay, await member.connectTo(target.peerId), { request: 'connect', status: 201, limit: 'circuits.max', current: 1, maximum: 1, class: 'member' });
    }));

  it('unset, give members circuits without a limit of bytes or time, 256 of them', () =>
    withMembers(1, { relay: { limits: { circuits: { bytesPerDirection: '64KiB' } } } }, async (relay, [member]) => {
      assert.ok(member !== undefined);
      const target = await relay.reserved();
      const answer = await member.connectTo(target.peerId);
      const { request, stream: far } = await target.nextIncoming();
      assert.deepEqual([answer.limit, request.limit], [undefined, undefined]);
      const reader = new ByteReader(far);
      answer.stream.send(patternBytes(1 << 20));
      await reader.has(1 << 20);
      const { circuits } = relay.node.config.relay.memberLimits;
      assert.deepEqual([circuits.durationMs, circuits.bytesPerDirection, circuits.idleMs, circuits.perSource], [Infinity, Infinity, Infinity, 256]);
      const stranger = await relay.peer();
      assert.equal((await stranger.connectTo(target.peerId)).limit?.dataBytes, 64 * 1024, 'a stranger has them');
    }));

  it('set, hold for members', () =>
    withMembers(1, { relay: { memberLimits: { circuits: { bytesPerDirection: '1KiB', perSource: 1 }, rates: { reservePerPeer: '1/h' }, reservations: { ttl: '1m' } } } }, async (relay, [member]) => {
      assert.ok(member !== undefined);
      const target = await relay.reserved();
      const granted = await member.reserve();
      assert.ok((granted.reservation?.expire ?? 0) <= Date.now() / 1000 + 60);
      await assertRefused(relay, await member.reserve(), { request: 'reserve', status: 201, limit: 'rates.reservePerPeer', class: 'member' });
      const answer = await member.connectTo(target.peerId);
      assert.equal(answer.limit?.dataBytes, 1024);
      await assertRefused(relay, await member.connectTo(target.peerId), { request: 'connect', status: 201, limit: 'circuits.perSource', class: 'member' });
      const reader = new ByteReader(answer.stream);
      answer.stream.send(patternBytes(1025));
      assert.equal(await reader.closed(), 'reset');
      assert.equal(await relay.metric('relayd_relay_circuits_ended_total{reason="byte limit",class="member"}'), 1);
    }));
});

describe('relay.open: false', () => {
  it('serves members, and refuses everyone else with 202', () =>
    withMembers(2, { relay: { open: false } }, async (relay, [member, second]) => {
      assert.ok(member !== undefined && second !== undefined);
      const stranger = await relay.peer();
      assertOk(await member.reserve());
      await assertRefused(relay, await stranger.reserve(), { request: 'reserve', status: 202, limit: 'members only' });
      await assertRefused(relay, await stranger.connectTo(member.peerId), { request: 'connect', status: 202, limit: 'members only' });
      assertOk(await second.connectTo(member.peerId));
      assert.deepEqual((await relay.counts()).reservations.max, 1024, 'the public has no room here');
    }));
});

describe('relay.access', { concurrency: 2 }, () => {
  type List = 'reserve' | 'connect' | 'target';

  /** Asks for what `list` is about, as `asked`. */
  async function ask(list: List, relay: RelayUnderTest, asked: WirePeer): ReturnType<WirePeer['reserve']> {
    if (list === 'reserve') return asked.reserve();
    if (list === 'connect') return asked.connectTo((await relay.reserved()).peerId);
    assertOk(await asked.reserve());
    return (await relay.peer()).connectTo(asked.peerId);
  }

  for (const list of ['reserve', 'connect', 'target'] as const) {
    const request = list === 'reserve' ? 'reserve' : 'connect';
    const refused = { request, status: 202, limit: `access.${list}` } as const;

    it(`${list}.deny by peer id: that peer is refused with 202, another is not`, async () => {
      const denied = await WirePeer.start();
      try {
        await withRelay({ relay: { access: { [list]: { deny: [denied.peerId.toString()] } } } }, async (relay) => {
          await denied.connect(relay.addr);
          await assertRefused(relay, await ask(list, relay, denied), refused);
          assertOk(await ask(list, relay, await relay.peer()));
          await assertRefused(relay, await ask(list, relay, denied), { ...refused, times: 2 });
        });
      } finally {
        await denied.stop();
      }
    });

    it(`${list}.allow by peer id: that peer alone is served`, async () => {
      const allowed = await WirePeer.start();
      try {
        await withRelay({ relay: { access: { [list]: { allow: [allowed.peerId.toString()] } } } }, async (relay) => {
          await allowed.connect(relay.addr);
          await assertRefused(relay, await ask(list, relay, await relay.peer()), refused);
          assertOk(await ask(list, relay, allowed));
        });
      } finally {
        await allowed.stop();
      }
    });

    it(`${list}.deny and allow by CIDR: the address of the peer decides, and deny is stronger`, () =>
      withRelay({ relay: { access: { [list]: { allow: ['127.0.2.0/24'], deny: ['127.0.2.9'] } } } }, async (relay) => {
        assertOk(await ask(list, relay, await relay.peer({ from: '127.0.2.1' })));
        await assertRefused(relay, await ask(list, relay, await relay.peer({ from: '127.0.3.1' })), refused);
        await assertRefused(relay, await ask(list, relay, await relay.peer({ from: '127.0.2.9' })), { ...refused, times: 2 });
      }));
  }

  it('hold for members, too', () =>
    withMembers(1, { relay: { access: { reserve: { deny: ['127.0.0.0/8'] } } } }, async (relay, [member]) => {
      assert.ok(member !== undefined);
      await assertRefused(relay, await member.reserve(), { request: 'reserve', status: 202, limit: 'access.reserve', class: 'member' });
    }));
});
