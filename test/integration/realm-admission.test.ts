import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import type { TokenProblem } from '../../src/lib/membership/verifier.ts';
import { TOKEN_PROBLEMS } from '../../src/lib/membership/verifier.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes } from '../support/bytes.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { RelayUnderTest, withRelay } from '../support/relay-under-test.ts';
import type { RelayKeys } from '../support/relay-under-test.ts';
import { TestRealm, tokenId, untilInForce } from '../support/test-realm.ts';
import { until } from '../support/waiting.ts';
import type { Answer, WirePeer } from '../support/wire-peer.ts';

const HOUR_MS = 3_600_000;

const reserve = (peer: WirePeer, token: Uint8Array): Promise<Answer> => peer.request({ type: 'RESERVE', token });
const connect = (peer: WirePeer, target: WirePeer, token: Uint8Array): Promise<Answer> => peer.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token });

describe('a relay of a realm, asked with real tokens', () => {
  let realm: TestRealm;
  let other: TestRealm;
  before(async () => {
    realm = await TestRealm.create('home');
    other = await TestRealm.create('elsewhere');
  });
  after(() => Promise.all([realm.remove(), other.remove()]));

  const inRealm = (keys: RelayKeys, use: (relay: RelayUnderTest) => Promise<void>): Promise<void> => withRelay({ ...keys, realm: realm.relayKeys }, use);
  const bound = (peer: WirePeer, options: Parameters<TestRealm['token']>[0] = {}): Promise<Uint8Array> => realm.token({ peer: peer.peerId.toString(), ...options });

  it('serves members only, with the limits of members', () =>
    inRealm({ relay: { open: false, limits: { circuits: { bytesPerDirection: '1KiB' } } } }, async (relay) => {
      const [member, target, stranger] = [await relay.peer(), await relay.peer(), await relay.peer()];
      const token = await bound(member);
      const granted = await reserve(target, await bound(target));
      assertOk(granted);
      assert.deepEqual(granted.membership, { class: 'member' });
      const circuit = await connect(member, target, token);
      assertOk(circuit);
      assert.deepEqual([circuit.limit, (await target.nextIncoming()).request.limit], [undefined, undefined], 'no limit of bytes or time');
      assert.deepEqual(relay.node.view.circuits().map(({ class: limitClass, token: id }) => [limitClass, id]), [['member', tokenId(token)]]);
      await assertRefused(relay, await stranger.reserve(), { request: 'reserve', status: 202, limit: 'members only' });
    }));

  /** A token that `peer` may try, and that does not count. */
  const BAD: Record<TokenProblem, (peer: WirePeer, relay: RelayUnderTest) => Promise<Uint8Array>> = {
    'token malformed': async (peer) => (await bound(peer)).subarray(1),
    'token signature': async (peer) => altered(await bound(peer)),
    'token wrong realm': (peer) => other.token({ peer: peer.peerId.toString() }),
    'token not yet valid': (peer) => realm.token({ peer: peer.peerId.toString() }, HOUR_MS),
    'token expired': (peer) => realm.token({ peer: peer.peerId.toString(), expiresMs: HOUR_MS }, -2 * HOUR_MS),
    'token wrong peer': async (_peer, relay) => {
      const holder = await relay.peer();
      const token = await bound(holder);
      assertOk(await reserve(holder, token));
      return token;
    },
    'token used up': async (_peer, relay) => {
      const token = await realm.token({ maxPeers: 1 });
      assertOk(await reserve(await relay.peer(), token));
      return token;
    },
    'token use': (peer) => bound(peer, { uses: ['tunnel:ssh'] }),
    'token revoked': async (peer, relay) => {
      const token = await bound(peer);
      await untilInForce(relay.node, await realm.revoke(tokenId(token)));
      return token;
    },
  };

  for (const problem of TOKEN_PROBLEMS) {
    it(`refuses, with the reason and a text for people: ${problem}`, () =>
      inRealm({ relay: { open: false } }, async (relay) => {
        const peer = await relay.peer();
        const token = await BAD[problem](peer, relay);
        const answer = await reserve(peer, token);
        await assertRefused(relay, answer, { request: 'reserve', status: 202, limit: problem });
        assert.match(answer.refusal?.explanation ?? '', /token/);
        await assertRefused(relay, await connect(peer, peer, token), { request: 'connect', status: 202, limit: problem });
      }));

    it(`open to anyone, serves as anyone and says why: ${problem}`, () =>
      inRealm({}, async (relay) => {
        const peer = await relay.peer();
        const answer = await reserve(peer, await BAD[problem](peer, relay));
        assertOk(answer);
        assert.deepEqual(answer.membership, { class: 'public', problem });
        assert.equal(await relay.metric(`relayd_realm_tokens_total{outcome="${problem.replaceAll(' ', '_')}"}`), 1);
      }));
  }

  it('takes a bearer token from as many peers as it is for, from those again, and after a restart from no others', async () => {
    const relay = await RelayUnderTest.start({ relay: { open: false }, realm: realm.relayKeys });
    try {
      const token = await realm.token({ maxPeers: 2 });
      const [one, two] = [await relay.peer(), await relay.peer()];
      for (const peer of [one, two, one]) assertOk(await reserve(peer, token));
      assert.equal((await reserve(await relay.peer(), token)).refusal?.limit, 'token used up');
      await relay.node.stop();
      await relay.node.start();
      assert.equal((await reserve(await relay.peer(), token)).refusal?.limit, 'token used up');
      await two.connect(relay.addr);
      assertOk(await reserve(two, token));
    } finally {
      await relay.stop();
    }
  });

  it('uses up no place of a bearer token for a request that it refuses for another reason', () =>
    inRealm({ relay: { open: false, memberLimits: { reservations: { max: 1 } } } }, async (relay) => {
      const [first, second] = [await relay.peer(), await relay.peer()];
      const token = await realm.token({ maxPeers: 1 });
      assertOk(await reserve(first, await bound(first)));
      assert.equal((await reserve(second, token)).refusal?.limit, 'reservations.max');
      await first.disconnect();
      await until(async () => (await relay.counts()).reservations.count === 0, 'there is room');
      assertOk(await reserve(await relay.peer(), token));
    }));

  it("holds a token's own limits: circuits, bytes, time and rate", () =>
    inRealm({ relay: { open: false } }, async (relay) => {
      const [member, target] = [await relay.peer(), await relay.peer()];
      assertOk(await reserve(target, await bound(target)));
      const token = await bound(member, { limits: { circuits: 1, bytesPerDirection: 30_000, bandwidth: 20_000 } });
      const answer = await connect(member, target, token);
      assert.deepEqual(answer.limit, { dataBytes: 30_000 });
      await assertRefused(relay, await connect(member, target, token), { request: 'connect', status: 201, limit: 'circuits.perSource', current: 1, maximum: 1, class: 'member' });
      const [reader, startedAt] = [new ByteReader((await target.nextIncoming()).stream), performance.now()];
      answer.stream.send(patternBytes(30_001));
      assert.equal(await reader.closed(), 'reset', 'one byte too much');
      // A quarter of a second's worth may go at once, and as much again as a debt.
      assert.ok(performance.now() - startedAt > 500, 'slowed to 20,000 bytes a second');
      const brief = await connect(member, target, await bound(member, { limits: { durationMs: 1_000 } }));
      assert.deepEqual(brief.limit, { durationSeconds: 1 });
      assert.equal(await new ByteReader(brief.stream).closed(), 'reset', 'after a second');
      const ends = ['byte limit', 'duration limit'].map((reason) => relay.metric(`relayd_relay_circuits_ended_total{reason="${reason}",class="member"}`));
      assert.deepEqual(await Promise.all(ends), [1, 1]);
    }));

  it('ends what its tokens gave when a reload takes the authority away, and takes tokens when one brings it', async () => {
    let keys = realm.relayKeys;
    const relay = await RelayUnderTest.start({ realm: keys }, { reloadConfig: async (inline) => loadConfig({ inline: { ...inline, realm: keys } }) });
    try {
      const member = await relay.peer();
      const token = await bound(member);
      assert.deepEqual((await reserve(member, token)).membership, { class: 'member' });
      keys = { name: 'home', revocationFile: realm.revocationFile };
      assert.deepEqual(await relay.node.reload(), { changed: ['realm.authority'], restartNeeded: [] });
      assert.deepEqual([relay.node.view.reservations(), (await relay.counts()).reservations.max], [[], 128]);
      await until(() => member.connection.status !== 'open', 'its connection to end');
      await member.connect(relay.addr);
      const served = await reserve(member, token);
      assert.deepEqual([served.status, served.membership], [100, undefined]);
      keys = realm.relayKeys;
      await relay.node.reload();
      assert.deepEqual((await reserve(member, token)).membership, { class: 'member' });
    } finally {
      await relay.stop();
    }
  });

  it('ends a reservation, and the circuits, when the token expires', () =>
    inRealm({ relay: { open: false } }, async (relay) => {
      const [member, target] = [await relay.peer(), await relay.peer()];
      assertOk(await reserve(target, await bound(target, { expiresMs: 3_000 })));
      const answer = await connect(member, target, await bound(member));
      assertOk(answer);
      assert.equal(await new ByteReader(answer.stream).closed(), 'reset');
      assert.deepEqual([relay.node.view.reservations(), await relay.metric('relayd_relay_circuits_ended_total{reason="token expired",class="member"}')], [[], 1]);
      assert.equal((await reserve(target, await bound(target))).status, 100, 'with a new one');
    }));
});

function altered(token: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(token);
  copy[copy.length - 1]! ^= 1;
  return copy;
}
