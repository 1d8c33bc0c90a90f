import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import type { RequestTracer } from '../../src/lib/tracing/request-tracer.ts';
import { FORWARD_PROTOCOL, encodeForward } from '../../src/relay/forwarding/messages.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes, sha256 } from '../support/bytes.ts';
import { ClusterRelays, answerOf, circuitsAt, openCircuit, roomyCircuits, untilOver } from '../support/cluster-relays.ts';
import type { ClusterRelay } from '../support/cluster-relays.ts';
import { PATIENCE_MS, settled, until, within } from '../support/waiting.ts';
import { accept } from '../support/wire-peer.ts';
import type { Incoming, WirePeer } from '../support/wire-peer.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a peer that is reserved at another relay', () => {
  let all: ClusterRelays;
  beforeEach(() => {
    all = new ClusterRelays();
  });
  afterEach(() => all.stop());

  it('is reached through any relay: it is told the true source, both are told the limit, and bytes pass both ways', async () => {
    const { entry, exit } = await all.pair({ config: { limits: roomyCircuits({ durationMs: 90_000, bytesPerDirection: MiB }) } });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const { near, far, request, reply } = await openCircuit(source, target);
    assert.deepEqual(request.peer, { id: source.peerId.toMultihash().bytes, addrs: [] });
    for (const { limit } of [request, reply]) assert.deepEqual(limit, { durationSeconds: 90, dataBytes: MiB });
    const [atFar, atNear] = [new ByteReader(far), new ByteReader(near)];
    near.send(patternBytes(300 * KiB, 1));
    far.send(patternBytes(200 * KiB, 2));
    assert.deepEqual([sha256(await atFar.has(300 * KiB)), sha256(await atNear.has(200 * KiB))], [sha256(patternBytes(300 * KiB, 1)), sha256(patternBytes(200 * KiB, 2))]);
    await Promise.all([near.close(), far.close()]);
    assert.deepEqual([await atFar.closed(), await atNear.closed()], ['end', 'end']);
    await untilOver(entry, exit);
  });

  it('and its source are told of no limit where there is none', async () => {
    const { entry, exit } = await all.pair();
    const { request, reply } = await openCircuit(await all.peer(entry), await all.reserved(exit));
    assert.deepEqual([request.limit, reply.limit], [undefined, undefined]);
  });

  it('is counted once in go\'s series: at the relay that has the source; what each relay does for the other has series of its own', async () => {
    const { entry, exit } = await all.pair();
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const { near, far } = await openCircuit(source, target);
    const [atFar, atNear] = [new ByteReader(far), new ByteReader(near)];
    near.send(new Uint8Array(1000));
    far.send(new Uint8Array(500));
    await Promise.all([atFar.has(1000), atNear.has(500)]);
    assert.deepEqual([entry.service.counts().forwarded, exit.service.counts().forwarded], [{ out: 1, in: 0 }, { out: 0, in: 1 }]);
    const [atEntry] = entry.service.circuits();
    const [atExit] = exit.service.circuits();
    const ends = { source: source.peerId.toString(), target: target.peerId.toString(), bytesToTarget: 1000, bytesToSource: 500 };
    for (const row of [atEntry, atExit]) assert.deepEqual({ source: row?.source, target: row?.target, bytesToTarget: row?.bytesToTarget, bytesToSource: row?.bytesToSource }, ends);
    assert.deepEqual([atEntry?.forwarded, atExit?.forwarded], [{ relay: exit.id, as: 'entry' }, { relay: entry.id, as: 'exit' }]);
    near.abort(new Error('over'));
    await untilOver(entry, exit);
    const both = async (name: string, labels?: Record<string, string>): Promise<[number, number]> => [await entry.metric(name, labels), await exit.metric(name, labels)];
    assert.deepEqual(await both('libp2p_relaysvc_connections_total', { type: 'opened' }), [1, 0]);
    assert.deepEqual(await both('libp2p_relaysvc_connections_total', { type: 'closed' }), [1, 0]);
    assert.deepEqual(await both('libp2p_relaysvc_connection_request_response_status_total', { status: 'ok' }), [1, 0]);
    assert.deepEqual(await both('libp2p_relaysvc_data_transferred_bytes_total'), [1500, 0]);
    assert.deepEqual([entry.service.counts().bytesRelayed, exit.service.counts().bytesRelayed], [1500, 0]);
    assert.deepEqual(await both('relayd_forward_bytes_total', { direction: 'out' }), [1500, 0]);
    assert.deepEqual(await both('relayd_forward_bytes_total', { direction: 'in' }), [0, 1500]);
    assert.deepEqual(await both('relayd_forward_circuits_total', { side: 'entry', outcome: 'ok' }), [1, 0]);
    assert.deepEqual(await both('relayd_forward_circuits_total', { side: 'exit', outcome: 'ok' }), [0, 1]);
  });

  it('gets the bytes that came right behind CONNECT, and the source those that came right behind the answer', async () => {
    const { entry, exit } = await all.pair();
    const target = await all.reserved(exit, {
      stop: (incoming) => {
        void accept(incoming);
        incoming.stream.send(patternBytes(3_000, 2));
      },
    });
    const source = await all.peer(entry);
    const stream = await source.openHop();
    const atNear = new ByteReader(stream);
    writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } }));
    stream.send(patternBytes(2_000, 1));
    const { stream: far } = await target.nextIncoming();
    assert.deepEqual(await new ByteReader(far).has(2_000), patternBytes(2_000, 1));
    const reply = encodeHop({ type: 'STATUS', status: Status.OK });
    assert.deepEqual((await atNear.has(3_000 + reply.byteLength + 1)).subarray(reply.byteLength + 1), patternBytes(3_000, 2));
  });

  it('answers after the source has ended its half, and hears of a reset, as the source does', async () => {
    const { entry, exit } = await all.pair();
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const first = await openCircuit(source, target);
    const [atFar, atNear] = [new ByteReader(first.far), new ByteReader(first.near)];
    first.near.send(Uint8Array.of(1, 2));
    await first.near.close();
    assert.equal(await atFar.end(), 'end');
    first.far.send(patternBytes(100 * KiB));
    await first.far.close();
    assert.equal(await atNear.closed(), 'end');
    assert.deepEqual([atFar.length, atNear.length], [2, 100 * KiB]);
    for (const side of ['near', 'far'] as const) {
      const circuit = await openCircuit(source, target);
      const other = new ByteReader(side === 'near' ? circuit.far : circuit.near);
      circuit[side].abort(new Error('reset'));
      assert.equal(await other.closed(), 'reset');
    }
    await untilOver(entry, exit);
    assert.equal(await entry.metric('relayd_relay_circuits_ended_total', { reason: 'finished', class: 'public' }), 1);
  });

  it('loses its circuit when either relay dies, and so does the source', async () => {
    const relays = await all.pair();
    for (const side of ['exit', 'entry'] as const) {
      const [target, source] = [await all.reserved(relays.exit), await all.peer(relays.entry)];
      const { near, far } = await openCircuit(source, target);
      const readers = [new ByteReader(near), new ByteReader(far)];
      relays[side].kill();
      for (const reader of readers) assert.notEqual(await reader.closed(), 'end');
      await untilOver(relays.entry, relays.exit);
      await relays.entry.link(relays.exit);
    }
  });

  it('is found at the next relay where the registry is stale, or the first cannot be asked', async () => {
    const { entry, exit: stale } = await all.pair();
    const holder = await all.add();
    const [target, source] = [await all.reserved(holder), await all.peer(entry)];
    entry.knows(target, stale, holder);
    await openCircuit(source, target);
    assert.deepEqual([await stale.metric('relayd_forward_circuits_total', { side: 'exit', outcome: 'no reservation' }), await entry.metric('relayd_forward_tries_sum')], [1, 2]);
    stale.kill();
    await openCircuit(source, target);
    assert.equal(circuitsAt(holder), 2);
  });

  it('is found at the next relay where the first is frozen, long before the source has waited enough', async () => {
    const { entry, exit: frozen } = await all.pair();
    const holder = await all.add();
    const [target, source] = [await all.reserved(holder), await all.peer(entry)];
    entry.knows(target, frozen, holder);
    const asked = Promise.withResolvers<void>();
    entry.cluster.beforeStream = (relay, signal) => {
      if (relay !== frozen.id) return Promise.resolve();
      asked.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new RelaydError('TIMEOUT', 'frozen')), { once: true }));
    };
    const opening = openCircuit(source, target);
    await within(asked.promise, 'the frozen relay to be asked');
    entry.clock.advance(2_000);
    await opening;
  });

  it('is not there (204) when no relay holds it, and could not be reached (203) when one does that cannot be asked', async () => {
    const { entry, exit } = await all.pair();
    const others = [await all.add(), await all.add(), await all.add()];
    const [nobody, source] = [await all.peer(exit), await all.peer(entry)];
    const asked = (): Promise<number> => entry.metric('relayd_forward_tries_sum');
    assert.deepEqual(answerOf(await source.connectTo(nobody.peerId)), [Status.NO_RESERVATION, 'no reservation']);
    assert.equal(await asked(), 0);
    entry.knows(nobody, exit, ...others);
    assert.deepEqual(answerOf(await source.connectTo(nobody.peerId)), [Status.NO_RESERVATION, 'no reservation']);
    assert.equal(await asked(), 3, 'no more than three are asked');
    others[0]?.kill();
    assert.deepEqual(answerOf(await source.connectTo(nobody.peerId)), [Status.CONNECTION_FAILED, 'connection failed']);
    assert.deepEqual([await entry.metric('relayd_forward_circuits_total', { side: 'entry', outcome: 'no reservation' }), await entry.metric('relayd_forward_circuits_total', { side: 'entry', outcome: 'connection failed' })], [2, 1]);
    assert.equal(circuitsAt(entry), 0);
  });

  it('could not be reached (203) when it does not take the circuit: no other relay is asked then', async () => {
    const { entry, exit } = await all.pair();
    const other = await all.add();
    const target = await all.reserved(exit, { stop: ({ stream }) => writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.PERMISSION_DENIED })) });
    const source = await all.peer(entry);
    entry.knows(target, exit, other);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.CONNECTION_FAILED, 'connection failed']);
    assert.deepEqual([await entry.metric('relayd_forward_tries_sum'), circuitsAt(entry), circuitsAt(exit)], [1, 0, 0]);
  });

  it('has ten seconds in all to answer', async () => {
    const { entry, exit } = await all.pair();
    const other = await all.add();
    const target = await all.reserved(exit, { stop: () => {} });
    const source = await all.peer(entry);
    entry.knows(target, exit, other);
    const answering = source.connectTo(target.peerId);
    const { stream } = await target.nextIncoming();
    const reader = new ByteReader(stream);
    entry.clock.advance(9_999);
    await until(async () => (await other.metric('relayd_forward_circuits_total', { side: 'exit', outcome: 'no reservation' })) === 1, 'the other relay to be asked meanwhile');
    await settled();
    assert.deepEqual([circuitsAt(entry), circuitsAt(exit)], [1, 1]);
    entry.clock.advance(1);
    assert.deepEqual(answerOf(await answering), [Status.CONNECTION_FAILED, 'connection failed']);
    assert.equal(await reader.closed(), 'reset', 'the target is let go');
    await untilOver(entry, exit);
  });

  it('is let go when the source gives up, or leaves, while it is being asked', async () => {
    const { entry, exit } = await all.pair();
    const target = await all.reserved(exit, { stop: () => {} });
    for (const leave of [(stream: Stream) => stream.abort(new Error('reset')), (_: Stream, source: WirePeer) => void source.disconnect('abort')]) {
      const source = await all.peer(entry);
      const stream = await source.openHop();
      writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } }));
      const incoming = await target.nextIncoming();
      const reader = new ByteReader(incoming.stream);
      leave(stream, source);
      assert.equal(await reader.closed(), 'reset');
      await untilOver(entry, exit);
    }
  });

  it('that is reserved here too is served here, and elsewhere when it has just gone from here', async () => {
    const { entry, exit } = await all.pair();
    const target = await all.reserved(exit, { stop: () => {} });
    const source = await all.peer(entry);
    const here = await target.node.dial(multiaddr(entry.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
    assert.equal((await target.reserve(here)).status, Status.OK);
    const connecting = source.connectTo(target.peerId);
    const first = await target.nextIncoming();
    assert.equal(first.connection.remotePeer.toString(), entry.id);
    target.script = accept;
    here.abort(new Error('the network has changed'));
    assert.equal((await connecting).status, Status.OK);
    assert.equal((await target.nextIncoming()).connection.remotePeer.toString(), exit.id);
  });

  it('that is silent over one connection is reached over another, through here or elsewhere: it has one circuit, and the silent one is let go', async () => {
    const { entry, exit: silent } = await all.pair();
    const other = await all.add();
    const target = await all.reserved(other, { stop: answeringOver(other.id) });
    for (const [through, ...known] of [[entry, silent, other], [silent, other]] as const) {
      const source = await all.peer(through);
      await reservedToo(target, silent);
      through.knows(target, ...known);
      const connecting = source.connectTo(target.peerId);
      const first = await target.nextIncoming();
      assert.equal(first.connection.remotePeer.toString(), silent.id);
      through.clock.advance(1_000);
      assert.equal((await connecting).status, Status.OK);
      assert.equal((await target.nextIncoming()).connection.remotePeer.toString(), other.id);
      assert.equal(await new ByteReader(first.stream).closed(), 'reset');
      await until(() => [entry, silent, other].reduce((sum, relay) => sum + circuitsAt(relay), 0) === 2, 'the silent one to be let go');
      assert.equal(await through.metric('relayd_forward_circuits_total', { side: 'entry', outcome: 'ok' }), 1);
      await source.disconnect('abort');
      await untilOver(entry, silent, other);
    }
  });

  it('that takes the circuit over both connections has the first: the other one is reset', async () => {
    const { entry, exit: slow } = await all.pair();
    const other = await all.add();
    const target = await all.reserved(other, { stop: () => {} });
    await reservedToo(target, slow);
    const source = await all.peer(entry);
    entry.knows(target, slow, other);
    const connecting = source.connectTo(target.peerId);
    const first = await target.nextIncoming();
    entry.clock.advance(1_000);
    const second = await target.nextIncoming();
    await Promise.all([accept(first), accept(second)]);
    assert.equal((await connecting).status, Status.OK);
    const ends = [first, second].map(async ({ stream }, i) => ({ i, how: await new ByteReader(stream).closed() }));
    const lost = await Promise.race(ends);
    assert.equal(lost.how, 'reset');
    await until(() => circuitsAt(slow) + circuitsAt(other) === 1, 'one circuit to be left');
    assert.deepEqual([circuitsAt(entry), circuitsAt([slow, other][1 - lost.i] ?? entry)], [1, 1]);
  });

  it('that is slow, and reserved here alone, is waited for: that is no matter between relays', async () => {
    const { entry } = await all.pair();
    const target = await all.reserved(entry, { stop: () => {} });
    const source = await all.peer(entry);
    const connecting = source.connectTo(target.peerId);
    const incoming = await target.nextIncoming();
    entry.clock.advance(9_000);
    await settled();
    await accept(incoming);
    assert.equal((await connecting).status, Status.OK);
    assert.equal(await entry.metric('relayd_forward_tries_count'), 0);
  });

  it('that is reserved here and does not take the circuit is asked nowhere else; one whose way here is broken could not be reached when it is nowhere else', async () => {
    const { entry, exit } = await all.pair();
    const refuse = ({ stream }: Incoming): void => writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.PERMISSION_DENIED }));
    const target = await all.reserved(exit, { stop: refuse });
    const source = await all.peer(entry);
    const here = await target.node.dial(multiaddr(entry.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
    assert.equal((await target.reserve(here)).status, Status.OK);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.CONNECTION_FAILED, 'connection failed']);
    const asked = (): Promise<number> => entry.metric('relayd_forward_tries_sum');
    assert.equal(await asked(), 0);
    target.script = (incoming) => (incoming.connection.remotePeer.equals(entry.peerId) ? incoming.stream.abort(new Error('no')) : refuse(incoming));
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.CONNECTION_FAILED, 'connection failed']);
    assert.equal(await asked(), 1);
    entry.knows(target);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.CONNECTION_FAILED, 'connection failed']);
    assert.equal(await asked(), 1);
  });

  it('is no matter of a relay\'s own check, which is about that relay alone', async () => {
    const internalPeers = new Set<string>();
    const { entry, exit } = await all.pair({ internalPeers });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    internalPeers.add(source.peerId.toString());
    assert.equal((await source.connectTo(target.peerId)).status, Status.NO_RESERVATION);
    assert.equal(await entry.metric('relayd_forward_tries_count'), 0);
  });

  it('is never forwarded on: where the registry says of a relay what that says of another, no circuit comes round', async () => {
    const { entry, exit } = await all.pair();
    const third = await all.add();
    const [target, source] = [await all.reserved(third), await all.peer(entry)];
    entry.knows(target, exit);
    exit.knows(target, third);
    third.knows(target, entry);
    assert.deepEqual(answerOf(await source.connectTo(target.peerId)), [Status.NO_RESERVATION, 'no reservation']);
    assert.equal(await exit.metric('relayd_forward_tries_count'), 0);
  });

  it('is not reached by a stranger who speaks the relays\' protocol: its streams are reset, whatever they say, and so is one that says nothing', async () => {
    const { entry, exit } = await all.pair();
    const [target, stranger] = [await all.reserved(exit), await all.peer(exit)];
    const request = encodeForward({ source: stranger.peerId, target: target.peerId, class: 'member', limit: undefined, tokenId: undefined, realm: undefined });
    const stream = await stranger.connection.newStream([FORWARD_PROTOCOL], { signal: AbortSignal.timeout(PATIENCE_MS) });
    const reader = new ByteReader(stream);
    try {
      writeFrame(stream, request);
    } catch {
      // It may be gone already.
    }
    assert.equal(await reader.closed(), 'reset');
    assert.equal(await exit.metric('relayd_forward_circuits_total', { side: 'exit', outcome: 'stranger' }), 1);

    const [link] = entry.node.getConnections(exit.peerId);
    const bad: ((opened: Stream) => unknown)[] = [
      (opened) => writeFrame(opened, Uint8Array.of(1, 2, 3)),
      (opened) => opened.send(Uint8Array.of(0xff, 0xff, 0x7f)),
      (opened) => opened.close(),
      () => exit.clock.advance(5_000),
    ];
    for (const say of bad) {
      const opened = (await link?.newStream([FORWARD_PROTOCOL], { signal: AbortSignal.timeout(PATIENCE_MS) })) ?? assert.fail();
      const atRelay = new ByteReader(opened);
      await settled();
      await say(opened);
      assert.equal(await atRelay.closed(), 'reset');
    }
    assert.equal(await exit.metric('relayd_forward_circuits_total', { side: 'exit', outcome: 'malformed' }), bad.length);
    assert.equal(circuitsAt(exit), 0);
  });

  it('does not hold up others when it stops reading: they share the connection between the relays, and memory stays within the window', async () => {
    for (const path of ['native', 'stock'] as const) {
      const { entry, exit } = await all.pair({ path });
      const [paused, target, source, other] = [await all.reserved(exit), await all.reserved(exit), await all.peer(entry), await all.peer(entry)];
      const stalled = await openCircuit(source, paused);
      stalled.far.pause();
      const unread = patternBytes(4 * MiB, 3);
      stalled.near.send(unread);
      const busy = await openCircuit(other, target);
      const reader = new ByteReader(busy.far);
      const sent = patternBytes(8 * MiB, 4);
      busy.near.send(sent);
      assert.equal(sha256(await reader.has(sent.byteLength, 60_000)), sha256(sent));
      // A window each way into the relay, and what its own socket takes.
      for (const relay of [entry, exit]) assert.ok(relay.service.counts().bufferedBytes <= 2 * 256 * KiB, `${relay.service.counts().bufferedBytes} bytes are held`);
      const late = new ByteReader(stalled.far);
      stalled.far.resume();
      assert.equal(sha256(await late.has(unread.byteLength, 60_000)), sha256(unread), 'nothing is lost');
      [stalled, busy].forEach(({ near }) => near.abort(new Error('over')));
      await untilOver(entry, exit);
    }
  });

  it('takes more circuits over one connection than libp2p allows of a protocol by itself', async () => {
    const { entry, exit } = await all.pair();
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    const count = 300;
    while (circuitsAt(entry) < count) {
      const answers = await Promise.all(Array.from({ length: count / 3 }, () => source.connectTo(target.peerId)));
      assert.ok(answers.every(({ status }) => status === Status.OK));
    }
    assert.equal(entry.node.getConnections(exit.peerId).length, 1);
    assert.deepEqual([circuitsAt(entry), circuitsAt(exit)], [count, count]);
    await source.disconnect('abort');
    await untilOver(entry, exit);
    await until(() => entry.node.getConnections(exit.peerId).every(({ streams }) => streams.length === 0), 'no stream to be left between the relays');
  });

  it('is traced at both relays, each by what it does', async () => {
    const spans: Record<'entry' | 'exit', string[]> = { entry: [], exit: [] };
    const tracer = (side: 'entry' | 'exit'): RequestTracer => ({
      request: (request, limitClass) => {
        const note = (...words: string[]): void => void spans[side].push(`${request} ${limitClass} ${words.join(' ')}`);
        return { stage: (stage) => note('stage', stage), ok: () => note('ok'), refused: (status, limit) => note(status, limit), failed: () => note('failed') };
      },
    });
    const { entry, exit } = await all.pair({ tracer: tracer('entry') }, { tracer: tracer('exit') });
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    spans.exit.length = 0;
    await openCircuit(source, target);
    target.script = ({ stream }) => stream.abort(new Error('no'));
    await source.connectTo(target.peerId);
    const said = (request: string, stage: string): string[] => [`${request} public stage ${stage}`, `${request} public ok`, `${request} public stage ${stage}`, `${request} public CONNECTION_FAILED connection failed`];
    assert.deepEqual(spans, { entry: said('connect', 'forward'), exit: said('forward', 'STOP') });
  });

  it('hears of the cluster\'s other relays in its reservation, behind its own, where they are to be named', async () => {
    const other = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWMmiLqFd5SHpnwbPs9gMC54T5JhLEAoMzQ45nogaCsqib';
    const relay = await all.add({ clusterAddrs: () => [multiaddr(other)] });
    const { reservation } = await (await all.peer(relay)).reserve();
    assert.deepEqual(reservation?.addrs.map((bytes) => multiaddr(bytes).toString()), [relay.addr, other]);
  });

  it('is reached again after a relay has stopped and started', async () => {
    const { entry, exit } = await all.pair();
    const [target, source] = [await all.reserved(exit), await all.peer(entry)];
    for (const relay of [entry, exit]) {
      const { far } = await openCircuit(source, target);
      const reader = new ByteReader(far);
      await relay.service.stop();
      assert.equal(await reader.closed(), 'reset');
      await relay.service.start();
      if (relay === exit) assert.equal((await target.reserve()).status, Status.OK);
    }
    await openCircuit(source, target);
  });
});

/** It takes circuits over this relay alone, and says nothing over others. */
function answeringOver(relay: string): (incoming: Incoming) => Promise<void> | void {
  return (incoming) => (incoming.connection.remotePeer.toString() === relay ? accept(incoming) : undefined);
}

/** Over a connection of its own. */
async function reservedToo(target: WirePeer, relay: ClusterRelay): Promise<void> {
  const connection = await target.node.dial(multiaddr(relay.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
  assert.equal((await target.reserve(connection)).status, Status.OK);
}
