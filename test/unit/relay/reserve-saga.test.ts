import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import type { HopMessage } from '../../../src/lib/circuit/messages.ts';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { RelayRig } from '../../support/relay-rig.ts';
import { clusterTerms } from '../../support/fake-cluster.ts';
import type { FakeConnection } from '../../support/fake-host.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled, until, within } from '../../support/waiting.ts';

const HOUR = 3_600_000;
const PER_HOUR = { count: 30, perMs: HOUR };
const NOTHING = [0, 0, 0, 0];
const RESERVE: HopMessage = { type: 'RESERVE' };

/** Two places each, and a token. */
const TERMS = clusterTerms({
  limits: { reservations: { max: 100, perPrefix: 2 }, rates: { reservePerPeer: PER_HOUR } },
  memberLimits: { reservations: { max: 100, perToken: 2 }, rates: { reservePerPeer: PER_HOUR } },
});

describe('a reservation in a cluster', () => {
  let ids: PeerId[];
  let relay: RelayRig;
  let peer: FakeConnection;

  before(async () => {
    ids = await makePeerIds(4);
  });
  const id = (i: number): PeerId => ids[i] ?? assert.fail();
  beforeEach(() => begin());
  afterEach(() => relay.service.stop());

  async function begin(terms = TERMS, config = {}): Promise<void> {
    relay = await RelayRig.start({ terms, config, internal: [id(3)] });
    peer = relay.host.connect(id(0));
  }

  async function again(...options: Parameters<typeof begin>): Promise<void> {
    await relay.service.stop();
    await begin(...options);
  }

  const held = (): number[] => relay.held();
  const places = (): string[] => relay.cluster.asked.at(-1)?.holds.map(({ key }) => key) ?? [];

  function holdSigning(): { begun: Promise<void>; goOn: () => void; fail: (error: Error) => void } {
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    relay.beforeSigning(() => {
      begun.resolve();
      return gate.promise;
    });
    return { begun: within(begun.promise, 'the voucher to be signed'), goOn: () => gate.resolve(), fail: (error) => gate.reject(error) };
  }

  async function assertNothingLeft(): Promise<void> {
    await settled(2);
    assert.deepEqual(held(), NOTHING);
    if (peer.status === 'open') peer.close();
    await until(() => relay.clock.pending === 0, 'the last timer to end');
  }

  it('takes its places, is told to all relays, and gives everything back at its end', async () => {
    await relay.reserved(peer);
    assert.deepEqual(relay.cluster.asked.map(({ holds, rates }) => [holds.map(({ key }) => key), rates.map(({ key }) => key)]), [
      [['public/reservations.max/*', 'public/reservations.perPrefix/192.0.2.7/32'], [`public/rates.reservePerPeer/${id(0)}`]],
    ]);
    assert.deepEqual([held(), relay.cluster.known.get(id(0).toString())], [[1, 0, 1, 2], HOUR]);
    peer.close();
    assert.deepEqual(held(), NOTHING);
  });

  it('gives its places back when it expires, when the relay stops, and when its member is revoked', async () => {
    await relay.reserved(peer);
    relay.clock.advance(HOUR);
    assert.deepEqual(held(), NOTHING);
    await relay.reserved(peer, relay.verifier.issue('T'));
    assert.deepEqual(held(), [1, 0, 1, 2]);
    relay.verifier.revoke('T');
    assert.deepEqual(held(), NOTHING);
    await relay.reserved(relay.host.connect(id(1)));
    await relay.service.stop();
    assert.deepEqual(held(), NOTHING);
  });

  it('is refused by name where the cluster is full, with no other relay to go to', async () => {
    await again(TERMS, { alternatives: [`/ip4/203.0.113.9/tcp/1/p2p/${id(2)}`] });
    for (const i of [0, 1]) await relay.reserved(relay.host.connect(id(i)));
    const { status, refusal } = await relay.host.connect(id(2)).request(RESERVE);
    assert.deepEqual([status, refusal], [Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'cluster.reservations.perPrefix', current: 2, maximum: 2, alternatives: [] }]);
    assert.deepEqual([held(), await relay.refusals('reserve', 'cluster.reservations.perPrefix')], [[2, 0, 2, 2], 1]);
  });

  it('is refused with 200 where the pool of the whole cluster is full', async () => {
    relay.cluster.refusal = { limit: 'reservations.max', current: 100, maximum: 100, retryAfterMs: 1_500 };
    const { status, refusal } = await peer.request(RESERVE);
    assert.deepEqual([status, refusal], [Status.RESERVATION_REFUSED, { limit: 'cluster.reservations.max', current: 100, maximum: 100, retryAfterSeconds: 2, alternatives: [] }]);
    assert.deepEqual(held(), NOTHING);
  });

  it('is refused where a quota is used up, in words too', async () => {
    await again(clusterTerms({ limits: { quotas: { peer: { bytes: 1000, per: 'd' } } } }));
    relay.cluster.useUp(`quota/peer/${id(0)}`);
    const { refusal } = await peer.request(RESERVE);
    assert.deepEqual([refusal?.limit, refusal?.maximum, refusal?.retryAfterSeconds], ['cluster.quotas.peer', 1000, 3_600]);
    assert.match(refusal?.explanation ?? '', /as many bytes for this peer/);
    await relay.reserved(relay.host.connect(id(1)));
  });

  describe('asks nothing', () => {
    afterEach(() => assert.deepEqual(relay.cluster.asked.length, 0));

    it('where no limit is set', async () => {
      await again(clusterTerms());
      await relay.reserved(peer);
      assert.deepEqual(held(), [1, 0, 1, 0], 'it is told to all relays all the same');
    });

    it('for the node\'s own check, which nobody is told of', async () => {
      await relay.reserved(relay.host.connect(id(3)));
      assert.deepEqual(held(), NOTHING);
    });

    it('for an address that is exempt, where only prefixes are counted', async () => {
      await again(clusterTerms({ limits: { reservations: { perPrefix: 1 } } }), { prefixes: { ipv4: 32, ipv6: [56], exempt: ['192.0.2.0/24'] } });
      await relay.reserved(peer);
    });

    it('that a limit of this relay\'s own refuses', async () => {
      await again(TERMS, { access: { reserve: { allow: [], deny: [id(0).toString()] }, connect: { allow: [], deny: [] }, target: { allow: [], deny: [] } } });
      assert.equal((await peer.request(RESERVE)).refusal?.limit, 'access.reserve');
    });
  });

  it('is refused for want of room here before the cluster is asked', async () => {
    for (let i = 0; i < 10; i++) await relay.reserved(relay.host.connect((await makePeerIds(1))[0] ?? assert.fail(), `/ip4/192.0.2.${100 + i}/tcp/1`));
    assert.equal((await peer.request(RESERVE)).refusal?.limit, 'reservations.max');
    assert.equal(relay.cluster.asked.length, 10);
  });

  describe('that is renewed', () => {
    beforeEach(() => relay.reserved(peer));

    it('keeps its places and asks nothing, when it comes in time', async () => {
      relay.clock.advance(HOUR / 4);
      await relay.reserved(peer);
      assert.deepEqual([held(), relay.cluster.asked.length, relay.cluster.known.get(id(0).toString())], [[1, 0, 1, 2], 1, HOUR]);
      peer.close();
      assert.deepEqual(held(), NOTHING);
    });

    it('costs a token, and no place, when it comes too soon', async () => {
      await relay.reserved(peer);
      assert.deepEqual([places(), relay.cluster.spent.of(`public/rates.reservePerPeer/${id(0)}`), held()], [[], 2, [1, 0, 1, 2]]);
    });

    it('stays as it was when the cluster refuses that', async () => {
      relay.cluster.refusal = { limit: 'rates.reservePerPeer', current: 30, maximum: 30 };
      assert.equal((await peer.request(RESERVE)).refusal?.limit, 'cluster.rates.reservePerPeer');
      assert.deepEqual(held(), [1, 0, 1, 2]);
    });

    it('is not refused for a quota that is used up', async () => {
      const quotas = { peer: { bytes: 1000, per: 'd' } as const };
      relay.update({}, clusterTerms({ limits: { rates: { reservePerPeer: PER_HOUR }, quotas } }));
      relay.cluster.useUp(`quota/peer/${id(0)}`);
      await relay.reserved(peer);
      assert.equal(relay.cluster.asked.at(-1)?.rates.length, 1);
      peer.close();
      peer = relay.host.connect(id(0));
      assert.equal((await peer.request(RESERVE)).refusal?.limit, 'cluster.quotas.peer');
    });

    it('takes only the places that it has not, and gives back those that it needs no more', async () => {
      const moved = relay.host.connect(id(0), '/ip4/198.51.100.1/tcp/1');
      await relay.reserved(moved);
      assert.deepEqual(places(), ['public/reservations.perPrefix/198.51.100.1/32']);
      const { places: counts } = relay.cluster;
      assert.deepEqual(['198.51.100.1', '192.0.2.7'].map((ip) => counts.of(`public/reservations.perPrefix/${ip}/32`)), [1, 0]);
      await relay.reserved(moved, relay.verifier.issue('T'));
      assert.deepEqual(places(), ['member/reservations.max/*', 'member/reservations.perToken/T']);
      assert.deepEqual(held(), [1, 0, 1, 2]);
      relay.service.endCircuits();
      await relay.service.stop();
      assert.deepEqual(held(), NOTHING);
    });

    it('has the new places before the old are given back', async () => {
      relay.cluster.refusal = { limit: 'reservations.perToken', current: 2, maximum: 2 };
      assert.equal((await peer.request({ ...RESERVE, token: relay.verifier.issue('T') })).refusal?.limit, 'cluster.reservations.perToken');
      assert.deepEqual([held(), relay.cluster.places.of('public/reservations.max/*')], [[1, 0, 1, 2], 1]);
    });

    it('is not made anew without places when it ends while the cluster is asked', async () => {
      relay.clock.advance(HOUR - 1);
      const { asked, goOn } = relay.holdAdmission();
      const { stream } = await relay.send(peer, { ...RESERVE, token: relay.verifier.issue('T') });
      await asked;
      relay.clock.advance(1);
      goOn();
      assert.equal(await new ByteReader(stream).closed(), 'reset');
      assert.deepEqual(held(), NOTHING);
    });

    it('keeps what it was given when limits are set that were not', async () => {
      relay.update({}, clusterTerms({ limits: { reservations: { perPeer: 1 } } }));
      await relay.reserved(peer);
      assert.deepEqual([relay.cluster.asked.length, held()], [1, [1, 0, 1, 2]]);
      await relay.reserved(relay.host.connect(id(1)));
      assert.deepEqual(places(), [`public/reservations.perPeer/${id(1)}`], 'new ones are under the new limits');
    });
  });

  describe('leaves nothing behind when, while the cluster is asked,', () => {
    let asked: Promise<void>;
    let goOn: () => void;
    let fail: (error: Error) => void;
    beforeEach(() => {
      ({ asked, goOn, fail } = relay.holdAdmission());
    });
    afterEach(async () => {
      goOn();
      await assertNothingLeft();
    });

    it('the asking fails', async () => {
      const { stream } = await relay.send(peer, RESERVE);
      await asked;
      fail(new RelaydError('INTERNAL', 'a fault'));
      assert.equal(await new ByteReader(stream).closed(), 'reset');
    });

    it('the peer gives up', async () => {
      const { stream, handled } = await relay.send(peer, RESERVE);
      await asked;
      stream.abort(new Error('no more'));
      await within(handled, 'the request to end');
    });

    it('the peer is gone', async () => {
      const { handled } = await relay.send(peer, RESERVE);
      await asked;
      peer.close();
      await within(handled, 'the request to end');
    });

    it('the peer is gone, and the answer comes all the same', async () => {
      relay.cluster.heedsSignal = false;
      const { handled } = await relay.send(peer, RESERVE);
      await asked;
      peer.close();
      await within(handled, 'the request to end');
      goOn();
      await until(() => relay.cluster.spent.size === 1, 'the late verdict');
    });

    it('the relay stops', async () => {
      const { handled } = await relay.send(peer, RESERVE);
      await asked;
      await relay.service.stop();
      await within(handled, 'the request to end');
    });

    it('the relay begins to drain', async () => {
      const reply = peer.request(RESERVE);
      await asked;
      await relay.service.drain(AbortSignal.abort(), 1_000);
      goOn();
      assert.equal((await reply).refusal?.limit, 'draining');
    });

    it('nobody ever answers', async () => {
      const { stream } = await relay.send(peer, RESERVE);
      await asked;
      relay.clock.advance(5_000);
      assert.equal(await new ByteReader(stream).closed(), 'reset');
    });

    it('the member is revoked', async () => {
      const reply = peer.request({ ...RESERVE, token: relay.verifier.issue('T') });
      await asked;
      relay.verifier.revoke('T');
      goOn();
      assert.equal((await reply).refusal?.limit, 'token revoked');
      assert.deepEqual(relay.verifier.claimed, []);
    });

    it('the relay becomes one for members only', async () => {
      const reply = peer.request(RESERVE);
      await asked;
      relay.update({ open: false }, TERMS);
      goOn();
      assert.equal((await reply).refusal?.limit, 'members only');
    });
  });

  it('leaves nothing over the cluster when the pool here fills up meanwhile', async () => {
    relay.update({ limits: { ...relay.config.limits, reservations: { ...relay.config.limits.reservations, max: 1 } } }, TERMS);
    const { goOn, asked } = relay.holdAdmission();
    const replies = [peer, relay.host.connect(id(1))].map((one) => one.request(RESERVE));
    await asked;
    await until(() => relay.cluster.asked.length === 2, 'both to be asked for');
    goOn();
    assert.deepEqual((await Promise.all(replies)).map(({ refusal }) => refusal?.limit ?? 'none').toSorted((a, b) => a.localeCompare(b)), ['none', 'reservations.max']);
    assert.deepEqual(held(), [1, 0, 1, 2]);
  });

  describe('leaves nothing behind when, while its voucher is signed,', () => {
    let signing: ReturnType<typeof holdSigning>;
    beforeEach(() => {
      signing = holdSigning();
    });
    afterEach(async () => {
      signing.goOn();
      await assertNothingLeft();
    });

    it('signing fails', async () => {
      const { stream } = await relay.send(peer, RESERVE);
      await signing.begun;
      assert.deepEqual(held(), [1, 0, 1, 2]);
      signing.fail(new Error('no key'));
      assert.equal(await new ByteReader(stream).closed(), 'reset');
    });

    it('the peer is gone', async () => {
      const { handled } = await relay.send(peer, RESERVE);
      await signing.begun;
      peer.close();
      signing.goOn();
      await within(handled, 'the request to end');
    });

    it('the peer gives up, and stays connected', async () => {
      const { stream, inner, handled } = await relay.send(peer, RESERVE);
      await signing.begun;
      stream.abort(new Error('no more'));
      await until(() => inner.status !== 'open', 'the relay to hear of it');
      signing.goOn();
      await within(handled, 'the request to end');
    });

    it('the relay stops', async () => {
      const { handled } = await relay.send(peer, RESERVE);
      await signing.begun;
      await relay.service.stop();
      signing.goOn();
      await within(handled, 'the request to end');
    });

    it('the member is revoked', async () => {
      const { handled } = await relay.send(peer, { ...RESERVE, token: relay.verifier.issue('T') });
      await signing.begun;
      relay.verifier.revoke('T');
      assert.deepEqual([held(), peer.status], [NOTHING, 'closed'], 'the peer is told by the end of its connection');
      signing.goOn();
      await within(handled, 'the request to end');
    });
  });

  it('that is asked for twice at once is granted, and renewed', async () => {
    await again(clusterTerms({ limits: { reservations: { perPeer: 1 } } }));
    const { asked, goOn } = relay.holdAdmission();
    const replies = [peer.request(RESERVE), peer.request(RESERVE)];
    await asked;
    await settled(2);
    assert.equal(relay.cluster.asked.length, 1, 'the second waits for the first');
    goOn();
    assert.deepEqual((await Promise.all(replies)).map(({ status }) => status), [Status.OK, Status.OK]);
    assert.deepEqual([relay.cluster.asked.length, held()], [1, [1, 0, 1, 1]]);
  });

  it('that is asked for again is not harmed by a first try that fails late', async () => {
    const { begun, fail } = holdSigning();
    const { stream } = await relay.send(peer, RESERVE);
    await begun;
    relay.beforeSigning(() => Promise.resolve());
    const second = peer.request(RESERVE);
    await settled(2);
    fail(new Error('no key'));
    assert.equal(await new ByteReader(stream).closed(), 'reset');
    assert.equal((await second).status, Status.OK);
    assert.deepEqual(held(), [1, 0, 1, 2]);
  });
});
