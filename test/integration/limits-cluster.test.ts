import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { decodeHop, encodeHop } from '../../src/lib/circuit/messages.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes } from '../support/bytes.ts';
import { ClusterRelays } from '../support/cluster-relays.ts';
import type { ClusterRelay } from '../support/cluster-relays.ts';
import { clusterTerms } from '../support/fake-cluster.ts';
import { PATIENCE_MS, settled, until } from '../support/waiting.ts';
import type { WirePeer } from '../support/wire-peer.ts';

const QUOTAS = clusterTerms({ limits: { quotas: { peer: { bytes: 1 << 30, per: 'month' } } } });

/** Over real connections; the cluster behind each relay does as the test says. */
describe('limits over the cluster', () => {
  let all: ClusterRelays;
  beforeEach(() => {
    all = new ClusterRelays();
  });
  afterEach(() => all.stop());

  const bytes = ({ cluster }: ClusterRelay, { peerId }: WirePeer): number | undefined => cluster.bytes.get(`quota/peer/${peerId}`);

  it('refuse a RESERVE by their name, and nothing is left of it', async () => {
    const relay = await all.add({ clusterLimits: clusterTerms({ limits: { reservations: { perPrefix: 1 } } }) });
    const first = await all.reserved(relay);
    const second = await all.peer(relay);
    const { status, refusal } = await second.reserve();
    assert.deepEqual([status, refusal], [Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'cluster.reservations.perPrefix', current: 1, maximum: 1, alternatives: [] }]);
    assert.equal(await relay.metric('relayd_relay_refusals_total', { request: 'reserve', limit: 'cluster.reservations.perPrefix', class: 'public' }), 1);
    assert.equal(await relay.metric('libp2p_relaysvc_reservation_rejections_total', { reason: 'ip constraint violation' }), 1);
    await first.disconnect('abort');
    await until(() => relay.cluster.places.size === 0, 'the place to be free');
    assert.equal((await second.reserve()).status, Status.OK);
  });

  for (const path of ['native', 'stock'] as const) {
    it(`let in a peer that says at once that it has no more to say (${path} streams)`, async () => {
      const relay = await all.add({ path, clusterLimits: clusterTerms({ limits: { reservations: { perPrefix: 1 } } }) });
      const stream = await (await all.peer(relay)).openHop();
      const verdict = Promise.withResolvers<void>();
      relay.cluster.beforeVerdict = () => verdict.promise;
      writeFrame(stream, encodeHop({ type: 'RESERVE' }));
      const closing = stream.close();
      await until(() => relay.cluster.asked.length === 1, 'the cluster to be asked');
      await settled();
      verdict.resolve();
      assert.equal(decodeHop(await readFrame(stream, { signal: AbortSignal.timeout(PATIENCE_MS) })).status, Status.OK);
      await closing;
    });
  }

  it('count the bytes of a forwarded circuit for each peer at its own relay, once, and end it from either side', async () => {
    const { entry, exit } = await all.pair({ clusterLimits: QUOTAS });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    for (const used of [{ relay: entry, peer: source }, { relay: exit, peer: target }]) {
      [entry, exit].forEach(({ cluster }) => cluster.bytes.clear());
      const { status, stream: near } = await source.connectTo(target.peerId);
      assert.equal(status, Status.OK);
      const { stream: far } = await target.nextIncoming();
      near.send(patternBytes(100_000));
      await new ByteReader(far).has(100_000);
      used.relay.cluster.useUp(`quota/peer/${used.peer.peerId}`);
      await until(() => [entry, exit].every(({ service }) => service.counts().circuits.count === 0), 'the circuit to end at both');
      assert.deepEqual([bytes(entry, source), bytes(entry, target), bytes(exit, source), bytes(exit, target)], [100_000, undefined, undefined, 100_000]);
      assert.equal(await used.relay.metric('relayd_relay_circuits_ended_total', { reason: 'quota', class: 'public' }), 1);
      used.relay.cluster.usedUp.clear();
    }
  });
});
