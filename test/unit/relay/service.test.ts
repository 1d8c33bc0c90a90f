import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { PeerId, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import type { ClassLimits, RelayConfig } from '../../../src/config/domain.ts';
import { writeFrame } from '../../../src/lib/circuit/frames.ts';
import { encodeHop, encodeStop } from '../../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL, Status } from '../../../src/lib/circuit/protocol.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { RelayService } from '../../../src/relay/index.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { patternBytes } from '../../support/bytes.ts';
import { FakeHost } from '../../support/fake-host.ts';
import type { FakeConnection } from '../../support/fake-host.ts';
import { FakeVerifier, membersOnly } from '../../support/fake-verifier.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled, until, within } from '../../support/waiting.ts';

const ANYONE = { allow: [], deny: [] };
const LIMITS: ClassLimits = {
  ...INTERNAL_LIMITS,
  reservations: { max: 10, perPrefix: Infinity, perAsn: Infinity, ttlMs: 3_600_000 },
  circuits: { max: 10, perSource: 10, perTarget: 10, pending: 10, durationMs: 120_000, bytesPerDirection: 128 * 1024, idleMs: 60_000 },
  memory: { perDirection: 256 * 1024, total: 1 << 30 },
};
const config = (set: Partial<RelayConfig> = {}): RelayConfig => ({ open: true, limits: LIMITS, memberLimits: LIMITS, prefixes: { ipv4: 32, ipv6: [56], exempt: [] }, asnFile: undefined, maxEventLoopDelayMs: 500, region: undefined, alternatives: [], access: { reserve: ANYONE, connect: ANYONE, target: ANYONE }, ...set });
const limited = (circuits: Partial<ClassLimits['circuits']>): ClassLimits => ({ ...LIMITS, circuits: { ...LIMITS.circuits, ...circuits } });

describe('RelayService', () => {
  let ids: PeerId[];
  let host: FakeHost;
  let clock: ManualClock;
  let registry: Registry;
  let service: RelayService;
  let source: FakeConnection;
  let target: FakeConnection;
  let eventLoopDelayMs = 0;
  const internalPeers = new Set<string>();

  before(async () => {
    ids = await makePeerIds(6);
  });
  const id = (i: number): PeerId => ids[i] ?? assert.fail();

  beforeEach(() => begin());
  afterEach(async () => {
    internalPeers.clear();
    await service.stop();
  });

  async function begin(set: Partial<RelayConfig> = {}, members: string[] = []): Promise<void> {
    host = await FakeHost.create();
    clock = new ManualClock();
    registry = new Registry();
    eventLoopDelayMs = 0;
    service = new RelayService({ host, config: config(set), realm: membersOnly(members), verifier: new FakeVerifier(), internalPeers, eventLoopDelayMs: () => eventLoopDelayMs, addresses: { announced: false, allowPrivate: true }, directory: undefined, version: '0.0.0', clock, log: silentLogger, registry });
    await service.start();
    source = host.connect(id(0));
    target = host.connect(id(1));
  }

  const status = async (name: string, labels: Record<string, string> = {}): Promise<number | undefined> => (await registry.getSingleMetric(name)?.get())?.values.find((one) => Object.entries(labels).every(([label, text]) => one.labels[label] === text))?.value;
  const refusals = (request: string, limit: string): Promise<number | undefined> => status('relayd_relay_refusals_total', { request, limit, class: 'public' });

  it('refuses new work while the event loop runs late, and nothing that it has', async () => {
    const { near, far } = await openCircuit();
    eventLoopDelayMs = 501;
    const explained = { limit: 'event loop', current: 501, maximum: 500, retryAfterSeconds: 5, alternatives: [] };
    for (const reply of [await source.request({ type: 'RESERVE' }), await source.connectTo(target.remotePeer)]) {
      assert.deepEqual([reply.status, reply.refusal], [Status.RESOURCE_LIMIT_EXCEEDED, explained]);
    }
    assert.equal((await target.request({ type: 'RESERVE' })).status, Status.OK, 'a renewal');
    near.send(Uint8Array.of(7));
    assert.deepEqual(await new ByteReader(far).has(1), Uint8Array.of(7));
    eventLoopDelayMs = 500;
    assert.equal((await source.request({ type: 'RESERVE' })).status, Status.OK);
  });

  async function openCircuit(from = source, to = target): Promise<{ near: Stream; far: Stream; inner: Stream }> {
    assert.equal((await to.request({ type: 'RESERVE' })).status, Status.OK);
    const connecting = from.connectTo(to.remotePeer);
    const { stream: far } = await to.stopRequest();
    writeFrame(far, encodeStop({ type: 'STATUS', status: Status.OK }));
    const { status: answered, stream: near, inner } = await connecting;
    assert.equal(answered, Status.OK);
    return { near, far, inner };
  }

  const assertEmpty = (): void => {
    const { reservations, circuits, bufferedBytes } = service.counts();
    assert.deepEqual([reservations.count, circuits.count, bufferedBytes], [0, 0, 0]);
  };

  it('starts and stops again and again, and leaves neither handler, listener nor timer', async () => {
    for (let i = 0; i < 5; i++) {
      await openCircuit();
      assert.deepEqual([host.handlers.size, host.listeners.size, await status('libp2p_relaysvc_status')], [1, 1, 1]);
      await service.stop();
      assert.deepEqual([host.handlers.size, host.listeners.size, await status('libp2p_relaysvc_status')], [0, 0, 0]);
      assertEmpty();
      [source, target].forEach((connection) => connection.close());
      assert.equal(clock.pending, 0);
      [source, target] = [host.connect(id(0)), host.connect(id(1))];
      await service.start();
    }
  });

  it('counts a reservation until the peer\'s last direct connection is closed', async () => {
    const second = host.connect(id(1));
    const relayed = host.connect(id(1), `/ip4/192.0.2.9/tcp/1/p2p/${id(2).toString()}/p2p-circuit`);
    await target.request({ type: 'RESERVE' });
    target.close();
    assert.equal(service.counts().reservations.count, 1);
    second.close();
    assertEmpty();
    assert.equal((await source.connectTo(id(1))).status, Status.NO_RESERVATION, 'the relayed connection is not one to be reached over');
    relayed.close();
  });

  it('does not take the close of a relayed connection for the peer\'s going', async () => {
    const relayed = host.connect(id(1), `/ip4/192.0.2.9/tcp/1/p2p/${id(2).toString()}/p2p-circuit`);
    await target.request({ type: 'RESERVE' });
    relayed.close();
    assert.equal(service.counts().reservations.count, 1);
  });

  it('refuses HOP over a relayed connection', async () => {
    const relayed = host.connect(id(3), `/ip4/192.0.2.9/tcp/1/p2p/${id(2).toString()}/p2p-circuit`);
    for (const reply of [await relayed.request({ type: 'RESERVE' }), await relayed.connectTo(id(1))]) {
      assert.deepEqual([reply.status, reply.refusal?.limit], [Status.PERMISSION_DENIED, 'relayed connection']);
    }
  });

  it('connects no peer to itself, and none to the relay', async () => {
    await target.request({ type: 'RESERVE' });
    const [self, relay] = [await target.connectTo(id(1)), await source.connectTo(host.peerId)];
    assert.deepEqual([self.status, self.refusal?.limit], [Status.PERMISSION_DENIED, 'connect to self']);
    assert.deepEqual([relay.status, relay.refusal?.limit], [Status.NO_RESERVATION, 'no reservation']);
  });

  it('answers a missing or bad peer, a STATUS and an unknown type as the specification says', async () => {
    const none = await source.request({ type: 'CONNECT' });
    const bad = await source.request({ type: 'CONNECT', peer: { id: Uint8Array.of(1, 2, 3), addrs: [] } });
    const out = await source.request({ type: 'STATUS', status: 100 });
    const unknown = await source.request({ type: undefined, status: 100 });
    assert.deepEqual([none, bad, out, unknown].map(({ status: code }) => code), [400, 400, 401, 400]);
    assert.deepEqual([await refusals('connect', 'malformed message'), await refusals('reserve', 'malformed message'), await refusals('reserve', 'unexpected message')], [2, 1, 1]);
  });

  it('does not count a circuit as pending once the target has answered', async () => {
    service.update(config({ limits: limited({ pending: 1 }) }), membersOnly([]), undefined);
    await openCircuit();
    await openCircuit();
    assert.equal(service.counts().circuits.count, 2);
  });

  it('admits no circuit while the memory for what circuits hold is used up', async () => {
    await target.request({ type: 'RESERVE' });
    service.update(config({ limits: { ...LIMITS, memory: { perDirection: 256 * 1024, total: 0 } } }), membersOnly([]), undefined);
    const reply = await source.connectTo(id(1));
    assert.deepEqual([reply.status, reply.refusal], [Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'memory.total', current: 0, maximum: 0, retryAfterSeconds: 1, alternatives: [] }]);
    assert.equal(service.counts().circuits.count, 0);
    service.update(config(), membersOnly([]), undefined);
    await openCircuit();
  });

  it('frees the slot of a peer that leaves while its reservation is being signed', async () => {
    const { sign } = host.privateKey;
    const signing = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    host.privateKey.sign = async (...args: Parameters<typeof sign>) => {
      started.resolve();
      await signing.promise;
      return sign.apply(host.privateKey, args);
    };
    const { stream, handled } = await target.openHop();
    writeFrame(stream, encodeHop({ type: 'RESERVE' }));
    await started.promise;
    assert.equal(service.counts().reservations.count, 1);
    target.close();
    assertEmpty();
    signing.resolve();
    await handled;
    assertEmpty();
    assert.equal(clock.pending, 0);
  });

  it('frees the slot, and tells the peer by a reset, when the reservation cannot be signed', async () => {
    host.privateKey.sign = () => Promise.reject(new Error('no'));
    const { stream, handled } = await target.openHop();
    const reader = new ByteReader(stream);
    writeFrame(stream, encodeHop({ type: 'RESERVE' }));
    await handled;
    assert.equal(await reader.closed(), 'reset');
    assertEmpty();
  });

  it('keeps what a peer holds when only its renewal cannot be signed', async () => {
    await target.request({ type: 'RESERVE' });
    host.privateKey.sign = () => Promise.reject(new Error('no'));
    const { stream, handled } = await target.openHop();
    writeFrame(stream, encodeHop({ type: 'RESERVE' }));
    await handled;
    assert.equal(service.counts().reservations.count, 1);
  });

  it('does not reserve for a peer whose connection is already closed', async () => {
    const { stream, handled } = await target.openHop();
    target.status = 'closed';
    writeFrame(stream, encodeHop({ type: 'RESERVE' }));
    await handled;
    assertEmpty();
  });

  it('answers 203 and frees the slot when STOP cannot be opened, is refused, is answered wrongly, cut off or reset', async () => {
    const answers: ((stream: Stream) => unknown)[] = [
      (stream) => writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.PERMISSION_DENIED })),
      (stream) => writeFrame(stream, encodeStop({ type: 'CONNECT', status: Status.OK })),
      (stream) => writeFrame(stream, encodeStop({ type: undefined, status: Status.OK })),
      (stream) => writeFrame(stream, encodeStop({ type: 'STATUS' })),
      (stream) => stream.send(Uint8Array.of(0)),
      (stream) => stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff)),
      (stream) => stream.send(Uint8Array.of(10, 8)),
      (stream) => stream.close(),
      (stream) => (stream.send(Uint8Array.of(10, 8)), stream.close()),
      (stream) => stream.abort(new Error('reset')),
    ];
    await target.request({ type: 'RESERVE' });
    for (const [i, answer] of answers.entries()) {
      const connecting = source.connectTo(id(1));
      const { stream } = await target.stopRequest();
      const reader = new ByteReader(stream);
      await answer(stream);
      if (i === 6) stream.abort(new Error('reset'));
      const reply = await connecting;
      assert.deepEqual([reply.status, reply.refusal?.limit], [Status.CONNECTION_FAILED, 'connection failed'], String(answer));
      assert.equal(service.counts().circuits.count, 0);
      await reader.closed();
    }
    target.beforeStream = () => Promise.reject(new Error('the target does not have STOP'));
    assert.equal((await source.connectTo(id(1))).status, Status.CONNECTION_FAILED);
    assert.equal(service.counts().circuits.count, 0);
    assert.equal(await refusals('connect', 'connection failed'), answers.length + 1);
  });

  it('lets the target go when the source resets, or leaves, while STOP is open', async () => {
    await target.request({ type: 'RESERVE' });
    for (const leave of [(stream: Stream) => stream.abort(new Error('reset')), () => source.close()]) {
      const { stream, handled } = await source.openHop();
      writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: id(1).toMultihash().bytes, addrs: [] } }));
      const stop = await target.stopRequest();
      const reader = new ByteReader(stop.stream);
      assert.equal(service.counts().circuits.count, 1, 'a circuit that is being set up has a slot');
      leave(stream);
      assert.equal(await reader.closed(), 'reset');
      await handled;
      assert.equal(service.counts().circuits.count, 0);
    }
  });

  it('frees the slot when the target leaves while STOP is open', async () => {
    await target.request({ type: 'RESERVE' });
    const connecting = source.connectTo(id(1));
    await target.stopRequest();
    target.close();
    assert.equal((await connecting).status, Status.CONNECTION_FAILED);
    assertEmpty();
  });

  it('stopped while STOP is open leaves no circuit', async () => {
    await target.request({ type: 'RESERVE' });
    const { stream, handled } = await source.openHop();
    writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: id(1).toMultihash().bytes, addrs: [] } }));
    const stop = await target.stopRequest();
    const reader = new ByteReader(stop.stream);
    await service.stop();
    await handled;
    assert.equal(await reader.closed(), 'reset');
    assertEmpty();
  });

  it('carries what the target sends right behind its answer, and what the source sends right behind its request', async () => {
    await target.request({ type: 'RESERVE' });
    const { stream } = await source.openHop();
    writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: id(1).toMultihash().bytes, addrs: [] } }));
    stream.send(patternBytes(2_000, 1));
    const stop = await target.stopRequest();
    writeFrame(stop.stream, encodeStop({ type: 'STATUS', status: Status.OK }));
    stop.stream.send(patternBytes(3_000, 2));
    const [fromTarget, fromSource] = [new ByteReader(stream), new ByteReader(stop.stream)];
    const reply = encodeHop({ type: 'STATUS', status: Status.OK, limit: { durationSeconds: 120, dataBytes: 128 * 1024 } });
    assert.deepEqual((await fromTarget.has(3_000 + reply.byteLength + 1)).subarray(reply.byteLength + 1), patternBytes(3_000, 2));
    assert.deepEqual(await fromSource.has(2_000), patternBytes(2_000, 1));
  });

  it('tells both sides the limits in whole seconds and bytes, and nothing where there is none', async () => {
    const cases = [
      [{ durationMs: 1_500, bytesPerDirection: 1000 }, { durationSeconds: 2, dataBytes: 1000 }],
      [{ durationMs: Infinity, bytesPerDirection: 1000 }, { dataBytes: 1000 }],
      [{ durationMs: 120_000, bytesPerDirection: Infinity }, { durationSeconds: 120 }],
      [{ durationMs: Infinity, bytesPerDirection: Infinity }, undefined],
    ] as const;
    for (const [circuits, expected] of cases) {
      await service.stop();
      await begin({ limits: limited(circuits) });
      const reservation = await target.request({ type: 'RESERVE' });
      const connecting = source.connectTo(id(1));
      const { stream, request } = await target.stopRequest();
      writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
      for (const message of [reservation, request, await connecting]) assert.deepEqual(message.limit, expected);
      assert.deepEqual(request.peer?.id, id(0).toMultihash().bytes);
    }
  });

  it('resets a HOP stream that says nothing, or not all, for five seconds', async () => {
    for (const part of [[], [40, 8, 1]]) {
      const { stream, handled } = await source.openHop();
      const reader = new ByteReader(stream);
      if (part.length > 0) stream.send(Uint8Array.from(part));
      await settled();
      clock.advance(4_999);
      await settled();
      assert.equal(stream.status, 'open');
      clock.advance(1);
      await handled;
      assert.deepEqual([await reader.closed(), reader.ends], ['reset', ['reset']]);
      assert.equal(clock.pending, 0);
    }
  });

  it('answers 203 when the target has not answered STOP after ten seconds, and lets it go', async () => {
    await target.request({ type: 'RESERVE' });
    for (const opens of [true, false]) {
      if (!opens) target.beforeStream = (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('too late'))));
      const connecting = source.connectTo(id(1));
      const stop = opens ? await target.stopRequest() : undefined;
      await until(() => service.counts().circuits.count === 1, 'the circuit to be pending');
      await settled();
      clock.advance(9_999);
      await settled();
      assert.equal(service.counts().circuits.count, 1);
      clock.advance(1);
      assert.deepEqual([(await connecting).status, service.counts().circuits.count], [Status.CONNECTION_FAILED, 0]);
      if (stop !== undefined) assert.equal(await new ByteReader(stop.stream).closed(), 'reset');
    }
  });

  it('resets HOP streams beyond 256 of one connection that say nothing, and takes the next when one has spoken', async () => {
    const silent = await Promise.all(Array.from({ length: 256 }, () => source.openHop()));
    const surplus = await source.openHop();
    assert.equal(await new ByteReader(surplus.stream).closed(), 'reset');
    const other = host.connect(id(2));
    assert.equal((await other.request({ type: 'RESERVE' })).status, Status.OK, 'another connection is served');
    const first = silent[0] ?? assert.fail();
    writeFrame(first.stream, encodeHop({ type: 'RESERVE' }));
    await within(first.handled, 'the reply');
    assert.equal((await source.request({ type: 'RESERVE' })).status, Status.OK);
    silent.forEach(({ stream }) => stream.abort(new Error('over')));
  });

  it('closes its side of the stream after a reply, and resets it when the peer does not close its own', async () => {
    const { stream, inner } = await source.request({ type: 'RESERVE' });
    const reader = new ByteReader(stream);
    assert.equal(await reader.end(), 'end');
    assert.equal(inner.status, 'open', 'the peer may still close it');
    clock.advance(5_000);
    assert.equal(await reader.closed(), 'reset');
    const polite = await source.request({ type: 'RESERVE' });
    await polite.stream.close();
    await until(() => polite.inner.status === 'closed', 'the stream to be closed');
    assert.equal(clock.pending, 1, 'the reservation\'s own timer is the only one');
  });

  it('drains: admits nothing new, says so, and is done when the last circuit is over', async () => {
    const { near, far } = await openCircuit();
    let drained = false;
    const draining = service.drain(new AbortController().signal, 30_000).then(() => (drained = true));
    for (const reply of [await target.request({ type: 'RESERVE' }), await source.connectTo(id(1))]) {
      assert.deepEqual([reply.status, reply.refusal?.limit], [Status.RESOURCE_LIMIT_EXCEEDED, 'draining']);
    }
    near.send(patternBytes(10));
    await new ByteReader(far).has(10);
    assert.equal(drained, false);
    await Promise.all([near.close(), far.close()]);
    await within(draining, 'the drain');
    assert.equal(await status('relayd_relay_circuits_ended_total', { reason: 'finished', class: 'public' }), 1);
  });

  it('names the relays that the node has found behind those of the configuration', async () => {
    await service.stop();
    const addr = (i: number): string => `/ip4/192.0.2.1/tcp/${i}/p2p/${id(i).toString()}`;
    await begin({ alternatives: [addr(2)], limits: { ...LIMITS, reservations: { ...LIMITS.reservations, max: 0 } } });
    service.setAlternatives([multiaddr(addr(3))]);
    assert.deepEqual((await source.request({ type: 'RESERVE' })).refusal?.alternatives, [addr(2), addr(3)]);
    service.update(config({ limits: { ...LIMITS, reservations: { ...LIMITS.reservations, max: 0 } } }), membersOnly([]), undefined);
    assert.deepEqual((await source.request({ type: 'RESERVE' })).refusal?.alternatives, [addr(3)]);
  });

  it('drains no longer than it may', async () => {
    await openCircuit();
    const deadline = new AbortController();
    const draining = service.drain(deadline.signal, 30_000);
    deadline.abort();
    await within(draining, 'the drain');
    assert.equal(service.counts().circuits.count, 1);
  });

  it('takes new limits into force at once, and leaves what is held as it was', async () => {
    const { near } = await openCircuit();
    const reader = new ByteReader(near);
    service.update(config({ limits: { ...limited({ perSource: 1, durationMs: 1_000 }), memory: { perDirection: 256 * 1024, total: 1 << 20 } } }), membersOnly([]), undefined);
    assert.deepEqual([(await source.connectTo(id(1))).refusal?.limit, service.counts().circuits.count], ['circuits.perSource', 1]);
    clock.advance(30_000);
    assert.equal(service.counts().circuits.count, 1, 'it keeps the duration that it was told');
    clock.advance(30_000);
    assert.equal(await reader.closed(), 'reset');
    service.update(config({ open: false }), membersOnly([id(1).toString()]), undefined);
    assert.equal((await source.request({ type: 'RESERVE' })).refusal?.limit, 'members only');
    assert.equal((await target.request({ type: 'RESERVE' })).status, Status.OK);
    assert.deepEqual([service.counts().classes.public.reservations.count, service.counts().classes.member.reservations.count], [0, 1]);
  });

  it('protects whoever holds a reservation or has a circuit', async () => {
    const { near } = await openCircuit();
    assert.deepEqual([...service.protectedPeers()].sort(), [id(0), id(1)].map(String).sort());
    near.abort(new Error('over'));
    await until(() => service.counts().circuits.count === 0, 'the circuit to end');
    assert.deepEqual([...service.protectedPeers()], [id(1).toString()]);
    target.close();
    assert.equal(service.protectedPeers().size, 0);
  });

  it('shows what it holds', async () => {
    const { near, far } = await openCircuit();
    near.send(patternBytes(100));
    await new ByteReader(far).has(100);
    const [reservation] = service.reservations();
    const [circuit] = service.circuits();
    assert.deepEqual([reservation?.peer, reservation?.class, reservation?.circuits, reservation?.renewals], [id(1).toString(), 'public', 1, 0]);
    assert.equal(Date.parse(reservation?.expiresAt ?? ''), clock.wall() + 3_600_000);
    assert.deepEqual([circuit?.source, circuit?.target, circuit?.bytesToTarget, circuit?.bytesToSource], [id(0).toString(), id(1).toString(), 100, 0]);
    assert.equal(service.counts().bytesRelayed, 100);
    assert.deepEqual(service.counts().classes.member.reservations, { count: 0, max: 0 }, 'a class that nobody can be in has no room');
  });

  it('keeps its own check out of every count, list and metric', async () => {
    [id(0), id(1)].forEach((peer) => internalPeers.add(peer.toString()));
    const { near, far } = await openCircuit();
    near.send(patternBytes(100));
    await new ByteReader(far).has(100);
    assert.equal((await source.connectTo(id(5))).status, Status.NO_RESERVATION);
    near.abort(new Error('done'));
    await settled();
    assertEmpty();
    assert.deepEqual([service.reservations(), service.circuits(), service.counts().bytesRelayed], [[], [], 0]);
    for (const metric of await registry.getMetricsAsJSON()) {
      // What there may be is no count.
      if (metric.name === 'libp2p_relaysvc_status' || metric.name.endsWith('_max')) continue;
      assert.ok(metric.values.every(({ value }) => value === 0), metric.name);
    }
  });

  it('handles HOP on the host under the name of the specification', () => {
    assert.deepEqual([...host.handlers.keys()], ['/libp2p/circuit/relay/0.2.0/hop']);
    assert.equal(HOP_PROTOCOL, '/libp2p/circuit/relay/0.2.0/hop');
  });
});
