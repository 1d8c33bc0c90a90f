import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { writeFrame } from '../../src/lib/circuit/frames.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { FORWARD_PROTOCOL, encodeForward } from '../../src/relay/forwarding/messages.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes, sha256 } from '../support/bytes.ts';
import { ClusterRelays, ROOMY, answerOf, circuitsAt, openCircuit, roomyCircuits, untilOver } from '../support/cluster-relays.ts';
import type { ClusterRelay } from '../support/cluster-relays.ts';
import { clusterTerms } from '../support/fake-cluster.ts';
import { PATIENCE_MS, settled, until, within } from '../support/waiting.ts';
import { accept } from '../support/wire-peer.ts';
import type { WirePeer } from '../support/wire-peer.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const AUTHORITY = 'ed25519:the fake verifier needs no key';

/** Which relay keeps which limit, and who may reach whom. */
describe('limits of a circuit over two relays', () => {
  let all: ClusterRelays;
  beforeEach(() => {
    all = new ClusterRelays();
  });
  afterEach(() => all.stop());

  it('let as many bytes pass in each direction as the source is told; one more resets both ends, and the entry knows why', async () => {
    const limit = 100 * KiB;
    const { entry, exit } = await all.pair({ config: { limits: roomyCircuits({ bytesPerDirection: limit }) } });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    for (const side of ['near', 'far'] as const) {
      const circuit = await openCircuit(source, target);
      const readers = { near: new ByteReader(circuit.near), far: new ByteReader(circuit.far) };
      circuit.near.send(patternBytes(limit, 1));
      circuit.far.send(patternBytes(limit, 2));
      assert.deepEqual([sha256(await readers.far.has(limit)), sha256(await readers.near.has(limit))], [sha256(patternBytes(limit, 1)), sha256(patternBytes(limit, 2))]);
      assert.equal(circuitsAt(entry), 1, 'both directions at their limit: nothing is over it');
      circuit[side].send(Uint8Array.of(1));
      assert.deepEqual([await readers.near.closed(), await readers.far.closed()], ['reset', 'reset']);
      await untilOver(entry, exit);
    }
    assert.equal(await entry.metric('relayd_relay_circuits_ended_total', { reason: 'byte limit', class: 'public' }), 2);
    assert.equal(await entry.metric('libp2p_relaysvc_data_transferred_bytes_total'), 4 * limit);
  });

  it('of time are the entry\'s, kept by the exit\'s clock too when the entry has stopped counting', async () => {
    const set = { config: { limits: roomyCircuits({ durationMs: 60_000, idleMs: 30_000 }) } };
    const { entry, exit } = await all.pair(set, { config: { limits: roomyCircuits({ durationMs: 90_000, idleMs: 40_000 }) } });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const byEntry = await openCircuit(source, target);
    entry.clock.advance(30_000);
    assert.equal(await new ByteReader(byEntry.far).closed(), 'reset');
    const byExit = await openCircuit(source, target);
    exit.clock.advance(44_999);
    await settled();
    assert.equal(byExit.near.status, 'open', 'the entry is the first to end it, and knows why');
    exit.clock.advance(1);
    assert.equal(await new ByteReader(byExit.near).closed(), 'reset');
    await untilOver(entry, exit);
    const third = await openCircuit(source, target);
    const chatter = setInterval(() => third.near.status === 'open' && third.near.send(Uint8Array.of(1)), 5);
    try {
      const reader = new ByteReader(third.far);
      for (let seconds = 0; seconds < 64; seconds += 16) {
        await reader.has(reader.length + 1);
        exit.clock.advance(16_000);
      }
      await reader.has(reader.length + 1);
      exit.clock.advance(1_000);
      assert.equal(await reader.closed(), 'reset');
    } finally {
      clearInterval(chatter);
    }
    await untilOver(entry, exit);
    const ended = (relay: ClusterRelay, reason: string): Promise<number> => relay.metric('relayd_relay_circuits_ended_total', { reason, class: 'public' });
    assert.deepEqual([await ended(entry, 'idle'), await ended(exit, 'idle'), await ended(exit, 'duration limit')], [1, 1, 1]);
  });

  it('of anyone are never above those of either relay, as both ends are told; a member\'s are as its own relay says', async () => {
    const [limit, realm] = [100 * KiB, { name: 'home', authority: AUTHORITY }];
    const { entry, exit } = await all.pair({ realm }, { realm, config: { limits: roomyCircuits({ durationMs: 90_000, bytesPerDirection: limit }) } });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const { near, far, request, reply } = await openCircuit(source, target);
    for (const told of [request.limit, reply.limit]) assert.deepEqual(told, { durationSeconds: 90, dataBytes: limit });
    const readers = [new ByteReader(near), new ByteReader(far)];
    near.send(patternBytes(limit + 1));
    for (const reader of readers) assert.equal(await reader.closed(), 'reset');
    assert.equal(await entry.metric('relayd_relay_circuits_ended_total', { reason: 'byte limit', class: 'public' }), 1);
    await untilOver(entry, exit);
    const member = await source.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token: [entry, exit].map(({ verifier }) => verifier.issue('member'))[0] });
    assert.deepEqual([member.status, member.limit, (await target.nextIncoming()).request.limit], [Status.OK, undefined, undefined]);
  });

  it('for the target are as its own relay counts: perTarget over all that come to it, however they come', async () => {
    const { entry, exit } = await all.pair({ config: { limits: roomyCircuits({ perTarget: 2 }) } });
    const target = await all.reserved(exit);
    const [near, far] = [await all.peer(entry), await all.peer(exit)];
    await openCircuit(near, target);
    const second = await openCircuit(far, target);
    const third = await near.connectTo(target.peerId);
    assert.deepEqual([third.status, third.refusal], [Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'circuits.perTarget', current: 2, maximum: 2, alternatives: [] }]);
    assert.deepEqual(answerOf(await far.connectTo(target.peerId)), [Status.RESOURCE_LIMIT_EXCEEDED, 'circuits.perTarget']);
    second.near.abort(new Error('over'));
    await until(() => circuitsAt(exit) === 1, 'the second to be over');
    await openCircuit(near, target);
    assert.equal(await exit.metric('relayd_forward_circuits_total', { side: 'exit', outcome: 'refused' }), 1);
  });

  it('for the source are the entry\'s alone: the exit serves it as if it had no circuit', async () => {
    const { entry, exit } = await all.pair({ config: { limits: roomyCircuits({ perSource: 1 }) } });
    const target = await all.reserved(exit);
    const source = await all.peer(entry);
    await openCircuit(source, target);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.RESOURCE_LIMIT_EXCEEDED, 'circuits.perSource']);
    const direct = await source.node.dial(multiaddr(exit.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = await source.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } }, { connection: direct });
    assert.equal(answer.status, Status.OK);
  });

  it('let no circuit come while the exit has no room, or drains, and nothing new comes in where the entry drains; what is open goes on', async () => {
    const { entry, exit } = await all.pair({}, { config: { limits: { ...ROOMY, memory: { perDirection: 256 * KiB, total: MiB }, circuits: { ...ROOMY.circuits, max: 3 } } } });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const open = [await openCircuit(source, target), await openCircuit(source, target), await openCircuit(source, target)];
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.RESOURCE_LIMIT_EXCEEDED, 'circuits.max']);
    open[0]?.near.abort(new Error('over'));
    await until(() => circuitsAt(exit) === 2, 'one to be over');
    const exitDrained = exit.service.drain(new AbortController().signal, 30_000);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.CONNECTION_FAILED, 'connection failed'], 'the source\'s own relay does not drain');
    const entryDrained = entry.service.drain(new AbortController().signal, 30_000);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.RESOURCE_LIMIT_EXCEEDED, 'draining']);
    for (const { near, far } of open.slice(1)) {
      near.send(patternBytes(100));
      await new ByteReader(far).has(100);
      await Promise.all([near.close(), far.close()]);
    }
    await within(Promise.all([exitDrained, entryDrained]), 'both drains');
  });

  it('of access to a target are kept by both relays; an address is a matter of the one that it is connected to', async () => {
    const anyone = { allow: [], deny: [] };
    const targets = (allow: string[], deny: string[] = []): object => ({ config: { access: { reserve: anyone, connect: anyone, target: { allow, deny } } } });
    const denied = [Status.PERMISSION_DENIED, 'access.target'];
    const exit = await all.add(targets([], ['127.0.0.9']));
    const byAddress = await all.add(targets(['127.0.0.0/8']));
    const [target, hidden] = [await all.reserved(exit), await all.reserved(exit, { from: '127.0.0.9' })];
    byAddress.knows(target, exit);
    byAddress.knows(hidden, exit);
    const byId = await all.add(targets([], [target.peerId.toString()]));
    [target, hidden].forEach((peer) => byId.knows(peer, exit));
    const [first, second] = [await all.peer(byAddress), await all.peer(byId)];
    await openCircuit(first, target);
    assert.deepEqual(answerOf(await first.connectTo(hidden.peerId)), denied, 'by the exit');
    assert.deepEqual(answerOf(await second.connectTo(target.peerId)), denied, 'by the entry, which asks nobody');
    assert.equal(await byId.metric('relayd_forward_tries_sum'), 0);
  });

  it('of access for a source are kept by the exit too, as far as its id says', async () => {
    const anyone = { allow: [], deny: [] };
    const entry = await all.add();
    const [denied, other] = [await all.peer(entry), await all.peer(entry)];
    const sources = (allow: string[], deny: string[]): object => ({ config: { access: { reserve: anyone, connect: { allow, deny }, target: anyone } } });
    const byId = await all.add(sources([], [denied.peerId.toString()]));
    const next = await all.add();
    const target = await all.reserved(byId);
    entry.knows(target, byId, next);
    assert.deepEqual(answerOf(await denied.connectTo(target.peerId)), [Status.PERMISSION_DENIED, 'access.connect']);
    assert.equal(await entry.metric('relayd_forward_tries_sum'), 1, 'no other relay is asked then');
    await openCircuit(other, target);
    const byAddress = await all.add(sources(['192.0.2.0/24'], []));
    await openCircuit(denied, await all.reserved(byAddress));
    const toOther = await all.add(sources([other.peerId.toString()], []));
    assert.deepEqual(answerOf(await denied.connectTo((await all.reserved(toOther)).peerId)), [Status.PERMISSION_DENIED, 'access.connect']);
  });

  it('count the target\'s bytes once, at the relay that serves it, also where it has just gone from the source\'s', async () => {
    const clusterLimits = clusterTerms({ limits: { quotas: { peer: { bytes: MiB, per: 'd' } } } });
    const { entry, exit } = await all.pair({ clusterLimits });
    const target = await all.reserved(exit, { stop: (incoming) => (incoming.connection.remotePeer.equals(entry.peerId) ? incoming.stream.abort(new Error('its way is broken')) : void accept(incoming)) });
    const source = await all.peer(entry);
    const here = await target.node.dial(multiaddr(entry.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
    assert.equal((await target.reserve(here)).status, Status.OK);
    const { status, stream } = await source.connectTo(target.peerId);
    assert.equal(status, Status.OK);
    await target.nextIncoming();
    const { stream: far } = await target.nextIncoming();
    stream.send(patternBytes(KiB));
    await new ByteReader(far).has(KiB);
    stream.abort(new Error('over'));
    await untilOver(entry, exit);
    const counted = (relay: ClusterRelay): unknown[] => [source, target].map(({ peerId }) => relay.cluster.bytes.get(`quota/peer/${peerId.toString()}`));
    assert.deepEqual([counted(entry), counted(exit)], [[KiB, undefined], [undefined, KiB]]);
  });

  it('end the circuits of a source that is revoked, at either relay, by its id and by its token', async () => {
    const realm = { name: 'home', authority: AUTHORITY };
    const { entry, exit } = await all.pair({ realm });
    const target = await all.reserved(exit);
    const connectWith = async (source: WirePeer, name: string): Promise<ByteReader> => {
      const token = [entry, exit].map(({ verifier }) => verifier.issue(name))[0] as Uint8Array;
      const { status, stream } = await source.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token });
      assert.equal(status, Status.OK);
      await target.nextIncoming();
      return new ByteReader(stream);
    };
    for (const where of [exit, entry]) {
      const [byToken, byId] = [await all.peer(entry), await all.peer(entry)];
      const readers = [await connectWith(byToken, `token at ${where.id}`), await connectWith(byId, `other at ${where.id}`)];
      assert.deepEqual(exit.service.circuits().map((row) => [row.class, row.token]), [['member', `token at ${where.id}`], ['member', `other at ${where.id}`]]);
      where.verifier.revoke(`token at ${where.id}`);
      assert.equal(await readers[0]?.closed(), 'reset');
      await until(() => circuitsAt(entry) === 1 && circuitsAt(exit) === 1, 'only the other to be left');
      where.verifier.revoke(byId.peerId);
      assert.equal(await readers[1]?.closed(), 'reset');
      await untilOver(entry, exit);
    }
    // The entry has not heard yet.
    const late = await all.peer(entry);
    exit.verifier.revoke(late.peerId);
    target.script = () => assert.fail('the target is not asked');
    const answer = await late.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token: entry.verifier.issue('late') });
    assert.deepEqual(answerOf(answer), [Status.PERMISSION_DENIED, 'token revoked']);
    // Nor has the exit, until the target is being asked.
    const last = await all.peer(entry);
    target.script = () => exit.verifier.revoke(last.peerId);
    const answering = last.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, token: entry.verifier.issue('last') });
    const incoming = await target.nextIncoming();
    void accept(incoming);
    assert.deepEqual(answerOf(await answering), [Status.PERMISSION_DENIED, 'token revoked']);
    assert.equal(await new ByteReader(incoming.stream).closed(), 'reset');
    await untilOver(entry, exit);
  });

  it('of members hold at a relay that serves members only: members of another realm are none there', async () => {
    const exit = await all.add({ config: { open: false }, realm: { name: 'home', authority: AUTHORITY } });
    const [same, another] = [await all.add({ realm: { name: 'home', authority: AUTHORITY } }), await all.add({ realm: { name: 'away', authority: AUTHORITY } })];
    const target = await all.peer(exit);
    assert.equal((await target.request({ type: 'RESERVE', token: exit.verifier.issue('target') })).status, Status.OK);
    const connectAt = async (relay: ClusterRelay, isMember: boolean): Promise<unknown[]> => {
      relay.knows(target, exit);
      const source = await all.peer(relay);
      const token = relay.verifier.issue('source');
      return answerOf(await source.request({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] }, ...(isMember ? { token } : {}) }));
    };
    assert.deepEqual(await connectAt(same, false), [Status.PERMISSION_DENIED, 'members only']);
    assert.deepEqual(await connectAt(another, true), [Status.PERMISSION_DENIED, 'members only']);
    assert.deepEqual(await connectAt(same, true), [Status.OK, undefined]);
    assert.deepEqual(exit.service.circuits().map((row) => row.class), ['member']);
  });

  it('are the exit\'s for the memory that its circuits may come to hold, and for how many of them are being set up', async () => {
    const memory = { perDirection: 256 * KiB, total: 512 * KiB - 1 };
    const exits = [await all.add({ config: { limits: { ...ROOMY, memory } } }), await all.add({ config: { limits: roomyCircuits({ pending: 1 }) } })] as const;
    const entry = await all.add();
    const source = await all.peer(entry);
    const full = await source.connectTo((await all.reserved(exits[0])).peerId);
    assert.deepEqual(answerOf(full), [Status.RESOURCE_LIMIT_EXCEEDED, 'memory.total']);
    const target = await all.reserved(exits[1]);
    await openCircuit(source, target);
    await openCircuit(source, target);
    target.script = () => {};
    const waiting = source.connectTo(target.peerId);
    const { stream } = await target.nextIncoming();
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.RESOURCE_LIMIT_EXCEEDED, 'circuits.pending']);
    stream.abort(new Error('no'));
    assert.equal((await waiting).status, Status.CONNECTION_FAILED);
  });

  it('for the target are not the entry\'s: neither how many circuits lead to it, nor its bandwidth; nor is the source\'s bandwidth the exit\'s', async () => {
    const burst = 100 * KiB;
    const limits = { ...roomyCircuits({ perTarget: 2 }), bandwidth: { ...ROOMY.bandwidth, perPeer: 4 * burst } };
    const perTarget = roomyCircuits({ perTarget: 1 });
    const arrives = async (source: WirePeer, target: WirePeer): Promise<void> => {
      const { near, far } = await openCircuit(source, target);
      const reader = new ByteReader(far);
      near.send(patternBytes(burst));
      await reader.has(burst);
    };
    // A rate lets a quarter of a second's bytes pass at once, and no clock goes on here: whoever shares one with another would wait for ever.
    const shapedEntry = await all.pair({ config: { limits: { ...perTarget, bandwidth: limits.bandwidth } } }, {});
    const target = await all.reserved(shapedEntry.exit);
    for (const source of [await all.peer(shapedEntry.entry), await all.peer(shapedEntry.entry)]) await arrives(source, target);
    const shapedExit = await all.pair({}, { config: { limits } });
    const source = await all.peer(shapedExit.entry);
    for (const one of [await all.reserved(shapedExit.exit), await all.reserved(shapedExit.exit)]) await arrives(source, one);
  });

  it('of bytes are kept by the exit too, two windows later, should the entry have forgotten them', async () => {
    const { entry, exit } = await all.pair();
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const [link] = entry.node.getConnections(exit.peerId);
    const stream = (await link?.newStream([FORWARD_PROTOCOL], { signal: AbortSignal.timeout(PATIENCE_MS) })) ?? assert.fail();
    writeFrame(stream, encodeForward({ source: source.peerId, target: target.peerId, class: 'public', limit: { dataBytes: KiB }, tokenId: undefined, realm: undefined }));
    const { stream: far } = await target.nextIncoming();
    const [reader, back] = [new ByteReader(far), new ByteReader(stream)];
    const most = KiB + 2 * ROOMY.memory.perDirection;
    stream.send(patternBytes(most));
    await reader.has(most);
    assert.equal(circuitsAt(exit), 1);
    stream.send(Uint8Array.of(1));
    assert.deepEqual([await reader.closed(), await back.closed(), reader.length], ['reset', 'reset', most]);
    assert.equal(await exit.metric('relayd_relay_circuits_ended_total', { reason: 'byte limit', class: 'public' }), 1);
  });
});
