import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { writeFrame } from '../../../../src/lib/circuit/frames.ts';
import { encodeStop } from '../../../../src/lib/circuit/messages.ts';
import { Status } from '../../../../src/lib/circuit/protocol.ts';
import { ByteReader } from '../../../support/byte-reader.ts';
import { patternBytes } from '../../../support/bytes.ts';
import { RelayRig } from '../../../support/relay-rig.ts';
import { clusterTerms } from '../../../support/fake-cluster.ts';
import type { FakeConnection } from '../../../support/fake-host.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';
import { settled, until, within } from '../../../support/waiting.ts';

const PLACES = clusterTerms({ limits: { circuits: { max: 100, perSource: 1, perTarget: 100, perPrefix: 100 } }, memberLimits: { circuits: { perToken: 1 } } });
const QUOTAS = clusterTerms({ limits: { quotas: { peer: { bytes: 1_000_000, per: 'd' } } } });

describe('a circuit in a cluster', () => {
  let ids: PeerId[];
  let relay: RelayRig;
  let source: FakeConnection;
  let target: FakeConnection;

  before(async () => {
    ids = await makePeerIds(4);
  });
  const id = (i: number): PeerId => ids[i] ?? assert.fail();
  afterEach(() => relay.service.stop());

  async function begin(terms = PLACES): Promise<void> {
    relay = await RelayRig.start({ terms, internal: [id(2), id(3)] });
    source = relay.host.connect(id(0));
    target = relay.host.connect(id(1));
    await relay.reserved(target);
  }

  const bytes = (i: number): number => relay.cluster.bytes.get(`quota/peer/${id(i)}`) ?? 0;
  const ends = async (reason: string): Promise<number | undefined> => (await relay.registry.getSingleMetric('relayd_relay_circuits_ended_total')?.get())?.values.find(({ labels }) => labels['reason'] === reason && labels['class'] === 'public')?.value;

  describe('with limits on circuits', () => {
    beforeEach(() => begin());

    it('takes its places until it ends', async () => {
      const { near } = await relay.circuit(source, target);
      assert.deepEqual(relay.cluster.asked.at(-1)?.holds.map(({ key }) => key), ['public/circuits.max/*', `public/circuits.perSource/${id(0)}`, `public/circuits.perTarget/${id(1)}`, 'public/circuits.perPrefix/192.0.2.7/32']);
      const { status, refusal } = await source.connectTo(id(1));
      assert.deepEqual([status, refusal], [Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'cluster.circuits.perSource', current: 1, maximum: 1, alternatives: [] }]);
      assert.equal(await relay.refusals('connect', 'cluster.circuits.perSource'), 1);
      near.abort(new Error('done'));
      await until(() => relay.cluster.places.size === 0, 'the places to be free');
      await relay.circuit(source, target);
    });

    it('gives them back when its peer is gone or the relay stops', async () => {
      await relay.circuit(source, target);
      target.close();
      await until(() => relay.cluster.places.size === 0, 'the places to be free');
      target = relay.host.connect(id(1));
      await relay.reserved(target);
      await relay.circuit(source, target);
      await relay.service.stop();
      assert.deepEqual(relay.held(), [0, 0, 0, 0]);
    });

    it('gives them back when the target refuses', async () => {
      const connecting = source.connectTo(id(1));
      const { stream } = await target.stopRequest();
      writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.PERMISSION_DENIED }));
      assert.equal((await connecting).status, Status.CONNECTION_FAILED);
      assert.deepEqual([relay.held(), relay.cluster.asked.length], [[1, 0, 1, 0], 1]);
    });

    it('counts a member\'s by token, and lets the source give up while the cluster is asked', async () => {
      const asked = Promise.withResolvers<void>();
      relay.cluster.beforeVerdict = (_claims, signal) => {
        asked.resolve();
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      };
      const { stream, handled } = await relay.send(source, { type: 'CONNECT', peer: { id: id(1).toMultihash().bytes, addrs: [] }, token: relay.verifier.issue('T') });
      await within(asked.promise, 'the cluster to be asked');
      assert.deepEqual(relay.cluster.asked.at(-1)?.holds.map(({ key }) => key), ['member/circuits.perToken/T']);
      stream.abort(new Error('no more'));
      await within(handled, 'the request to end');
      assert.deepEqual(relay.held(), [1, 0, 1, 0]);
    });

    it('is refused by this relay\'s own limits before the cluster is asked, those that wait for it included', async () => {
      relay.update({ limits: { ...relay.config.limits, circuits: { ...relay.config.limits.circuits, pending: 1 } } }, PLACES);
      const { asked, goOn } = relay.holdAdmission();
      const first = relay.circuit(source, target);
      await asked;
      assert.equal((await source.connectTo(id(1))).refusal?.limit, 'circuits.pending');
      goOn();
      await first;
      assert.equal(relay.cluster.asked.length, 1);
    });

    it('is not opened when the relay begins to drain while the cluster is asked', async () => {
      const { asked, goOn } = relay.holdAdmission();
      const reply = source.connectTo(id(1));
      await asked;
      await relay.service.drain(AbortSignal.abort(), 1_000);
      goOn();
      assert.equal((await reply).refusal?.limit, 'draining');
      assert.deepEqual(relay.held(), [1, 0, 1, 0]);
    });

    it('asks nothing for the node\'s own check', async () => {
      const [from, to] = [relay.host.connect(id(2)), relay.host.connect(id(3))];
      await relay.reserved(to);
      await relay.circuit(from, to);
      assert.deepEqual([relay.cluster.asked.length, relay.cluster.tellings], [0, 0]);
    });
  });

  describe('with quotas', () => {
    beforeEach(() => begin(QUOTAS));

    it('counts its bytes of both directions for both peers, to the last', async () => {
      const { near, far } = await relay.circuit(source, target);
      near.send(patternBytes(70_001));
      far.send(patternBytes(5));
      await new ByteReader(far).has(70_001);
      await new ByteReader(near).has(5);
      near.abort(new Error('the end comes abruptly'));
      await until(() => relay.service.counts().circuits.count === 0, 'the circuit to end');
      assert.deepEqual([bytes(0), bytes(1), relay.service.counts().bytesRelayed], [70_006, 70_006, 70_006]);
    });

    it('tells of few bytes after 100 ms', async () => {
      const { near, far } = await relay.circuit(source, target);
      near.send(patternBytes(9));
      await new ByteReader(far).has(9);
      assert.equal(bytes(0), 0);
      relay.clock.advance(100);
      assert.deepEqual([bytes(0), bytes(1), relay.cluster.tellings], [9, 9, 1]);
    });

    it('ends when a quota of its is used up, and none is opened until the window is over', async () => {
      const { near, far } = await relay.circuit(source, target);
      const reader = new ByteReader(far);
      relay.cluster.useUp(`quota/peer/${id(3)}`);
      near.send(Uint8Array.of(1));
      await reader.has(1);
      relay.cluster.useUp(`quota/peer/${id(1)}`);
      assert.deepEqual([await reader.closed(), await ends('quota'), relay.service.counts().circuits.count], ['reset', 1, 0]);
      const { status, refusal } = await source.connectTo(id(1));
      assert.deepEqual([status, refusal?.limit, refusal?.retryAfterSeconds], [Status.RESOURCE_LIMIT_EXCEEDED, 'cluster.quotas.peer', 3_600]);
      assert.equal(bytes(0), 1, 'its last byte was told');
    });

    it('ends by its own bytes', async () => {
      const { near, far } = await relay.circuit(source, target);
      const reader = new ByteReader(far);
      near.send(patternBytes(1_000_000));
      await reader.has(1_000_000);
      relay.clock.advance(100);
      assert.equal(await reader.closed(), 'reset');
      assert.deepEqual([await ends('quota'), bytes(0), bytes(1)], [1, 1_000_000, 1_000_000]);
    });

    it('is refused when a quota is used up while the target is asked', async () => {
      const connecting = source.connectTo(id(1));
      const { stream } = await target.stopRequest();
      relay.cluster.useUp(`quota/peer/${id(0)}`);
      writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
      const { refusal } = await connecting;
      assert.equal(refusal?.limit, 'cluster.quotas.peer');
      assert.ok((refusal?.retryAfterSeconds ?? 0) > 3_600, 'until midnight by UTC');
      assert.equal(await new ByteReader(stream).closed(), 'reset');
      await settled(1);
      assert.deepEqual(relay.held(), [1, 0, 1, 0]);
    });
  });

  it('asks nothing where no limit is set', async () => {
    await begin(clusterTerms());
    const { near, far } = await relay.circuit(source, target);
    near.send(patternBytes(100_000));
    await new ByteReader(far).has(100_000);
    relay.clock.advance(100);
    assert.deepEqual([relay.cluster.asked, relay.cluster.tellings], [[], 0]);
  });
});
