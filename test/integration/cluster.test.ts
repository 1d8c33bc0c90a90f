import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BEAT_EVERY_MS, LEASE_MS } from '../../src/coordination/backend.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import type { ClusterRelayRow } from '../../src/lib/contracts.ts';
import type { RelayNode } from '../../src/index.ts';
import { metric } from '../support/nodes.ts';
import { makePeerIds } from '../support/peer-ids.ts';
import { RelayCluster, addrOf, seenBy, untilMeet } from '../support/relay-cluster.ts';
import { EtcdCluster, available as etcdMissing } from '../support/stores/etcd.ts';
import { RedisServer, available as redisMissing } from '../support/stores/redis.ts';
import { TestRealm, tokenId } from '../support/test-realm.ts';
import { PATIENCE_MS, until } from '../support/waiting.ts';
import type { WirePeer } from '../support/wire-peer.ts';

interface Store {
  readonly keys: Record<string, unknown>;
  stop(): Promise<void>;
}

const BACKENDS: Record<string, { missing: () => string | undefined; start: () => Promise<Store> }> = {
  gossip: { missing: () => undefined, start: () => Promise.resolve({ keys: {}, stop: () => Promise.resolve() }) },
  redis: {
    missing: redisMissing,
    start: async () => {
      const server = await RedisServer.start();
      return { keys: { redis: { url: server.url } }, stop: () => server.stop() };
    },
  },
  etcd: {
    missing: etcdMissing,
    start: async () => {
      const server = await EtcdCluster.start();
      return { keys: { etcd: { endpoints: server.nodes.map(({ url }) => url) } }, stop: () => server.stop() };
    },
  },
};

/** Admissions that the store, or the owner of the limit's count, was not part of. */
const DECIDED_ALONE = ['relayd_cluster_admissions_total{by="local",outcome="admitted"}', 'relayd_cluster_share_decisions_total{by="alone"}'];

/** Two beats: what is told at once may be lost once. */
const SOON_MS = 2 * BEAT_EVERY_MS + PATIENCE_MS;

for (const [backend, { missing, start }] of Object.entries(BACKENDS)) {
  describe(`relays of one cluster, by ${backend}`, { skip: missing() ?? false, timeout: 120_000 }, () => {
    let store: Store;
    let cluster: RelayCluster;
    let realm: TestRealm;
    let relays: RelayNode[];

    before(async () => {
      store = await start();
      realm = await TestRealm.create();
      cluster = await RelayCluster.create({ backend, ...store.keys, limits: { reservations: { max: 12 } } });
      const [first, ...others] = [realm.relayKeys, realm.memberKeys, realm.memberKeys];
      relays = [await cluster.start('a', { realm: first }), ...(await Promise.all(others.map((keys, i) => cluster.start(`${i}`, { realm: keys }))))];
      await untilMeet(relays);
    });

    after(async () => {
      await cluster.stopAll();
      await realm.remove();
      await store.stop();
    });

    it('see each other, agree, and say so', async () => {
      const ids = relays.map(({ peerId }) => peerId).sort();
      for (const relay of relays) {
        assert.deepEqual(seenBy(relay), ids);
        assert.ok(relay.view.cluster().relays.every(({ agrees }) => agrees), 'the same limits and the same realm');
        assert.deepEqual(relay.view.status()['cluster'], { backend, cluster: 'default', problem: null, relays: 3 });
        assert.equal(await metric(relay, 'relayd_cluster_up'), 1);
        assert.deepEqual(relay.view.readinessWarnings(), []);
      }
    });

    it('compare their clocks, and say how wrong that may be', async () => {
      for (const relay of relays) {
        const others = (): ClusterRelayRow[] => relay.view.cluster().relays.filter(({ self }) => !self);
        await until(() => others().every(({ clockAheadMs }) => clockAheadMs !== null), 'the clocks to be compared');
        // They are all of this process.
        for (const { clockAheadMs, clockErrorMs } of others()) assert.ok(Math.abs(clockAheadMs ?? NaN) <= (clockErrorMs ?? NaN), `${clockAheadMs} ${clockErrorMs}`);
      }
    });

    it('open a circuit through any of them to a peer that is reserved at one', async () => {
      const [at, through] = relays as [RelayNode, RelayNode];
      const target = await cluster.reserved(at);
      const source = await cluster.peer(through);
      await untilConnects(source, target);
      assert.deepEqual([through.view.cluster().forwarded, at.view.cluster().forwarded], [{ out: 1, in: 0 }, { out: 0, in: 1 }]);
      await target.disconnect();
      await until(async () => (await source.connectTo(target.peerId)).status === Status.NO_RESERVATION, 'the reservation to be forgotten everywhere');
    });

    it('open a circuit between members by token, which ends at both with the token', async () => {
      const [at, through] = relays as [RelayNode, RelayNode];
      const [target, source] = [await cluster.peer(at), await cluster.peer(through)];
      const [ofTarget, ofSource] = await Promise.all([target, source].map((peer) => realm.token({ peer: peer.peerId.toString() }))) as [Uint8Array, Uint8Array];
      assert.equal((await target.request({ type: 'RESERVE', token: ofTarget })).status, Status.OK);
      const request: HopMessage = { type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token: ofSource };
      await until(async () => (await source.request(request)).status === Status.OK, 'a circuit through another relay');
      const tokens = (relay: RelayNode): (string | undefined)[] => relay.view.circuits().filter((circuit) => circuit.target === target.peerId.toString()).map(({ token }) => token);
      assert.deepEqual([tokens(at), tokens(through)], [[tokenId(ofSource)], [tokenId(ofSource)]]);
      await realm.revoke(tokenId(ofSource));
      await until(() => tokens(at).length + tokens(through).length === 0, 'the circuit to end at both', SOON_MS);
      await target.disconnect();
    });

    it('take a bearer token for one peer from one, wherever it comes', async () => {
      const [at, through] = relays as [RelayNode, RelayNode];
      const token = await realm.token({ maxPeers: 1 });
      const [first, second] = [await cluster.peer(at), await cluster.peer(through)];
      assert.deepEqual(await standing(first, token), { class: 'member' });
      await until(async () => (await metric(through, CLAIMS_TAKEN)) === 1, 'the other relay to be told');
      assert.deepEqual(await standing(second, token), USED_UP);
      await first.disconnect();
      await first.connect(addrOf(through));
      assert.deepEqual(await standing(first, token), { class: 'member' });
      await Promise.all([first.disconnect(), second.disconnect()]);
    });

    it('admit no more between them than the limit over the cluster', async () => {
      const peers = await Promise.all(Array.from({ length: 24 }, (_, i) => cluster.peer(relays[i % relays.length] as RelayNode)));
      const alone = async (): Promise<number> => (await Promise.all(relays.flatMap((relay) => DECIDED_ALONE.map((series) => metric(relay, series))))).reduce((sum, count) => sum + count, 0);
      const aloneBefore = await alone();
      const admitted = (await Promise.all(peers.map((peer) => peer.reserve()))).filter(({ status }) => status === Status.OK).length;
      // On a machine that stands still for a quarter of a second, a relay may have to decide alone: that, and no more, may be over the limit.
      const most = 12 + ((await alone()) - aloneBefore);
      assert.ok(admitted <= most && admitted > 0, `${admitted} were admitted, of at most ${most}`);
      await Promise.all(peers.map((peer) => peer.disconnect()));
      await until(() => relays.every(({ view }) => view.reservations().length === 0), 'the places to be free');
    });

    it('all end what a revoked member holds, wherever the revocation is read', async () => {
      const relay = relays[2] as RelayNode;
      const member = await cluster.peer(relay);
      const token = await realm.token({ peer: member.peerId.toString() });
      assert.equal((await member.request({ type: 'RESERVE', token })).status, Status.OK);
      await realm.revoke(tokenId(token));
      await until(() => relay.view.reservations().every(({ peer }) => peer !== member.peerId.toString()), 'the reservation to end', SOON_MS);
    });

    it('hear at once that one leaves, and soon that one is dead', async () => {
      const staying = relays.slice(0, 2);
      await cluster.stop('1');
      await until(() => staying.every((relay) => seenBy(relay).length === 2), 'the relay that left to be gone', LEASE_MS);
      const apart = await cluster.startApart('apart');
      await until(() => staying.every((relay) => seenBy(relay).includes(apart.ready.peerId)), 'the third relay to be seen', 30_000);
      apart.daemon.signal('SIGKILL');
      await until(() => staying.every((relay) => !seenBy(relay).includes(apart.ready.peerId)), 'the dead relay to be gone', LEASE_MS + PATIENCE_MS);
    });
  });
}

describe('a relay of a cluster', { timeout: 120_000 }, () => {
  let cluster: RelayCluster;

  beforeEach(async () => {
    cluster = await RelayCluster.create({ backend: 'gossip' });
  });

  afterEach(() => cluster.stopAll());

  it('takes limits over the cluster that change while it runs, and shows those that have others', async () => {
    const one = { coordination: { limits: { reservations: { max: 1 } } } };
    const other = await cluster.start('other', one);
    const { ready } = await cluster.startApart('apart', one);
    const addr = ready.addrs[0] ?? '';
    const agrees = (): boolean | undefined => other.view.cluster().relays.find(({ peer }) => peer === ready.peerId)?.agrees;
    await until(() => agrees() === true, 'the relays to meet', 30_000);
    await cluster.reserved(addr);
    const late = await cluster.peer(addr);
    const { status, refusal } = await late.reserve();
    assert.deepEqual([status, refusal?.limit], [Status.RESERVATION_REFUSED, 'cluster.reservations.max']);
    await cluster.reload('apart', { coordination: { limits: { reservations: { max: 2 } } } });
    assert.equal((await late.reserve()).status, Status.OK);
    await until(() => agrees() === false, 'the other one to see that they do not agree');
    assert.equal(await metric(other, 'relayd_cluster_relays_disagreeing'), 1);
  });

  it('counts what goes over its links, by gossip and by shares', async () => {
    const limit = { coordination: { limits: { reservations: { max: 6 } } } };
    const pair = (await cluster.startAll(['a', 'b'], limit)) as [RelayNode, RelayNode];
    for (const relay of pair) await cluster.reserved(relay);
    const names = ['link_messages_total', 'link_bytes_total'].flatMap((name) => ['in', 'out'].map((direction) => `relayd_cluster_${name}{direction="${direction}"}`));
    for (const name of [...names, 'relayd_cluster_links', 'relayd_cluster_shares', 'relayd_gossip_reservations']) {
      await until(async () => (await Promise.all(pair.map((relay) => metric(relay, name)))).some((value) => value > 0), `${name} to move`);
    }
    for (const name of ['relayd_gossip_bytes_total', 'relayd_gossip_exchanges_total', 'relayd_gossip_sync_bytes_total', 'relayd_cluster_share_decisions_total']) {
      await until(async () => new RegExp(`^${name}\\{[^}]*\\} [1-9]`, 'm').test(await pair[0].view.metrics()), `${name} to move`);
    }
  });

  it('keeps its links when it closes connections that are too many', async () => {
    const [crowded, other] = (await cluster.startAll(['a', 'b'], { connections: { low: 1, high: 3 } })) as [RelayNode, RelayNode];
    const linksMade = await metric(crowded, 'relayd_cluster_link_handshakes_total{outcome="ok"}');
    const peers = await Promise.all(Array.from({ length: 6 }, () => cluster.peer(crowded)));
    await until(async () => (await metric(crowded, 'relayd_connections_trimmed_total')) >= peers.length, 'those without a reservation to be closed');
    assert.equal(await metric(crowded, 'relayd_cluster_link_handshakes_total{outcome="ok"}'), linksMade);
    assert.equal(crowded.view.cluster().relays.find(({ peer }) => peer === other.peerId)?.linked, true);
  });

  it('says at once that it drains, and sends its clients to the others', async () => {
    const [leaving, staying] = (await cluster.startAll(['a', 'b'])) as [RelayNode, RelayNode];
    const drained = leaving.drain();
    await until(() => staying.view.cluster().relays.some(({ peer, state }) => peer === leaving.peerId && state === 'draining'), 'the other one to know');
    const { refusal } = await (await cluster.peer(leaving)).reserve();
    assert.deepEqual(refusal?.alternatives, [addrOf(staying)]);
    await drained;
  });

  it('starts again with a higher epoch, and is one of the cluster again', async () => {
    const [, staying] = (await cluster.startAll(['a', 'b'])) as [RelayNode, RelayNode];
    await cluster.stop('a');
    await until(() => seenBy(staying).length === 1, 'the relay to be gone');
    const again = await cluster.start('a');
    await untilMeet([again, staying]);
    await again.stop();
    await again.start();
    await untilMeet([again, staying]);
  });

  it('leaves their part of every limit to the relays that its configuration names, though it has never seen one', async () => {
    const named = await makePeerIds(2);
    const alone = await cluster.start('a', { coordination: { relays: named.map((peer) => `/ip4/127.0.0.1/tcp/1/p2p/${peer}`) } });
    assert.equal(await metric(alone, 'relayd_cluster_relays_known'), 3);
  });

  it('ends what a bearer token gave to another while relays were apart, and remembers who has used it', async () => {
    const realm = await TestRealm.create();
    try {
      const alone = { realm: realm.memberKeys, coordination: { relays: [] } };
      const [a, b] = [await cluster.start('a', alone), await cluster.start('b', alone)];
      const [token, other] = [await realm.token({ maxPeers: 1 }), await realm.token({ maxPeers: 2 })];
      const [first, second] = [await cluster.peer(a), await cluster.peer(b)];
      for (const peer of [first, second]) assert.deepEqual([await standing(peer, token), await standing(peer, other)], [{ class: 'member' }, { class: 'member' }]);
      const held = (): number[] => [a, b].map(({ view }) => view.reservations().length);
      await standing(first, token);
      await standing(second, token);

      const c = await cluster.start('c', { realm: realm.memberKeys });
      await untilMeet([a, b, c]);
      await until(() => held().join() === '1,0', 'the later one to lose its reservation');
      await second.connect(addrOf(b));
      assert.deepEqual(await standing(second, token), USED_UP);
      assert.deepEqual(await standing(second, other), { class: 'member' }, 'there is room for both');
      assert.equal(await metric(b, 'relayd_realm_bearer_claims_total{outcome="displaced"}'), 1);

      for (const name of ['a', 'b', 'c']) await cluster.stop(name);
      const again = await cluster.start('b', alone);
      for (const peer of [first, second]) await peer.connect(addrOf(again));
      assert.deepEqual([await standing(second, token), await standing(first, token)], [USED_UP, { class: 'member' }]);
    } finally {
      await realm.remove();
    }
  });

  it('does not start without the secret of its cluster', async () => {
    await assert.rejects(cluster.start('a', { coordination: { secretFile: '/nonexistent/secret' } }), /secretFile/);
  });
});

describe('relays whose Redis is away', { skip: redisMissing() ?? false, timeout: 120_000 }, () => {
  const LIMIT = 12;
  const NAMES = ['a', 'b', 'c'];
  let server: RedisServer;
  let cluster: RelayCluster;
  let realm: TestRealm;
  let relays: RelayNode[];

  before(async () => {
    server = await RedisServer.start();
    cluster = await RelayCluster.create({ backend: 'redis', redis: { url: server.url }, limits: { reservations: { max: LIMIT } } });
    realm = await TestRealm.create();
    relays = [];
    for (const name of NAMES) relays.push(await cluster.start(name, { realm: name === 'a' ? realm.relayKeys : realm.memberKeys }));
    await untilMeet(relays);
  });

  after(async () => {
    await cluster.stopAll();
    await realm.remove();
    await server.stop();
  });

  it('keep their circuits, admit by their part of a limit, and say so; and are one again when it is back, though it has lost all', async () => {
    const [first, second] = relays as [RelayNode, RelayNode];
    const target = await cluster.reserved(first);
    const source = await cluster.peer(second);
    await untilConnects(source, target);
    const circuits = second.view.circuits().length;

    await server.kill();
    await until(() => relays.every(({ view }) => view.cluster().problem !== null), 'the relays to notice');
    const admitted = await Promise.all(relays.map((relay) => fill(cluster, relay)));
    assert.deepEqual(admitted, [LIMIT / 3 - 1, LIMIT / 3, LIMIT / 3], 'each its part, of which the first had used one');
    assert.equal(second.view.circuits().length, circuits);
    for (const relay of relays) {
      assert.match(relay.view.readinessWarnings().join(), /the cluster \(redis\) is away/);
      assert.equal(await metric(relay, 'relayd_cluster_up'), 0);
    }
    await untilConnects(await cluster.peer(relays[2] as RelayNode), target);

    await server.startAgain();
    await untilMeet(relays);
    await until(async () => (await fill(cluster, first)) === 0, 'the store to count what was admitted without it');
    await target.disconnect();
    await until(async () => (await fill(cluster, second)) === 1, 'the place that became free to be anyone\'s');
  });

  it('hear of a revocation all the same, over their links', async () => {
    const last = relays[2] as RelayNode;
    const member = await cluster.peer(last);
    const token = await realm.token({ peer: member.peerId.toString() });
    assert.equal((await member.request({ type: 'RESERVE', token })).status, Status.OK);
    await server.kill();
    await until(() => relays.every(({ view }) => view.cluster().problem !== null), 'the relays to notice');
    await realm.revoke(tokenId(token));
    await until(() => last.view.reservations().every(({ peer }) => peer !== member.peerId.toString()), 'the reservation to end', SOON_MS);
  });
});

describe('relays whose etcd takes no writes', { skip: etcdMissing() ?? false, timeout: 120_000 }, () => {
  it('reach who is reserved now through any of them, with nobody waiting for etcd, and when it is whole again', async () => {
    const etcd = await EtcdCluster.start({ size: 3 });
    const cluster = await RelayCluster.create({ backend: 'etcd', etcd: { endpoints: etcd.nodes.map(({ url }) => url) } });
    try {
      const [at, through] = (await cluster.startAll(['a', 'b'])) as [RelayNode, RelayNode];
      const [first, second] = etcd.nodes;
      await Promise.all([first?.kill(), second?.kill()]);
      // What is left of it answers questions by what it knew.
      await until(() => [at, through].every(({ view }) => view.cluster().problem !== null), 'the relays to notice');
      const target = await cluster.reserved(at);
      assert.equal((await (await cluster.peer(through)).connectTo(target.peerId)).status, Status.OK);
      await Promise.all([first?.start(), second?.start()]);
      await untilMeet([at, through]);
      assert.equal((await (await cluster.peer(through)).connectTo(target.peerId)).status, Status.OK, 'before etcd has been told all');
    } finally {
      await cluster.stopAll();
      await etcd.stop();
    }
  });
});

for (const [backend, { missing, start }] of Object.entries(BACKENDS)) {
  describe(`a relay whose identity another process has taken, by ${backend}`, { skip: missing() ?? false, timeout: 120_000 }, () => {
    it('lets go of all, says why, and does not fight', async () => {
      const store = await start();
      const cluster = await RelayCluster.create({ backend, ...store.keys });
      try {
        const [old, third] = (await cluster.startAll(['old', 'third'])) as [RelayNode, RelayNode];
        const client = await cluster.reserved(old);
        await mkdir(await cluster.dataDir('twin'), { mode: 0o700 });
        await copyFile(join(await cluster.dataDir('old'), 'identity.key'), join(await cluster.dataDir('twin'), 'identity.key'));
        const twin = await cluster.start('twin');
        const reasons = async (): Promise<string> => (await old.view.readinessProblems(AbortSignal.timeout(PATIENCE_MS))).join();
        await until(async () => /another process runs with this relay's identity/.test(await reasons()), 'the first one to say so');
        await until(() => client.connection.status !== 'open', 'its clients to be cut off: they know nothing of notices');
        assert.equal(await metric(old, 'relayd_cluster_links'), 0);
        await untilMeet([twin, third]);
        await untilConnects(await cluster.peer(third), await cluster.reserved(twin));
        const again = await cluster.peer(old);
        assert.notEqual((await again.reserve()).status, Status.OK);
        assert.match(old.view.cluster().problem ?? '', /give it a key of its own/);
      } finally {
        await cluster.stopAll();
        await store.stop();
      }
    });
  });
}

const CLAIMS_TAKEN = 'relayd_realm_bearer_claims_total{outcome="taken"}';
const USED_UP = { class: 'public', problem: 'token used up' };

/** As what a peer is served that shows `token`. */
async function standing(peer: WirePeer, token: Uint8Array): Promise<unknown> {
  const { status, membership } = await peer.request({ type: 'RESERVE', token });
  assert.equal(status, Status.OK);
  return membership;
}

/** Reserves there until it is refused; the peers stay. */
async function fill(cluster: RelayCluster, relay: RelayNode): Promise<number> {
  for (let admitted = 0; ; admitted++) {
    const peer = await cluster.peer(relay);
    const { status } = await peer.reserve();
    if (status === Status.OK) continue;
    await peer.disconnect();
    return admitted;
  }
}

async function untilConnects(source: WirePeer, target: WirePeer): Promise<void> {
  await until(async () => (await source.connectTo(target.peerId)).status === Status.OK, 'a circuit through another relay');
}
