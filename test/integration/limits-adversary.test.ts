import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { loadConfig } from '../../src/config/index.ts';
import { writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL, Status } from '../../src/lib/circuit/protocol.ts';
import { concat, encodeVarint } from '../../src/lib/protobuf.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes, sha256 } from '../support/bytes.ts';
import { seededRandom } from '../support/random.ts';
import { assertOk } from '../support/refusals.ts';
import { RelayUnderTest, withRelay } from '../support/relay-under-test.ts';
import { settled, until, within } from '../support/waiting.ts';
import { accept } from '../support/wire-peer.ts';
import type { StopScript, WirePeer } from '../support/wire-peer.ts';

const KiB = 1024;
const FREE = { circuits: { max: 5000, perSource: 5000, perTarget: 5000, pending: 5000, duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' }, rates: { reservePerPeer: 'unlimited', connectPerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited' } };
const OPEN = { relay: { limits: FREE } };

/**
 * A length prefix that does not end. Short: libp2p's own reader of protocol names takes 6 microseconds a byte of it, and never ends
 * by itself (reported; the handshake's deadline ends it).
 */
const ENDLESS_LENGTH = Buffer.alloc(1_000, 0xff);

/** Everything that the relay counts is back at zero, and as many circuits as ever can be opened. */
async function assertUnharmed(relay: RelayUnderTest): Promise<void> {
  await until(async () => (await relay.counts()).circuits.count === 0, 'no circuit to be left');
  await until(async () => (await relay.counts()).bufferedBytes === 0, 'no byte to be held');
  const metrics = await relay.metrics();
  assert.equal(metrics.get('libp2p_relaysvc_connections_total{type="opened"}'), metrics.get('libp2p_relaysvc_connections_total{type="closed"}'));
  const [target, source] = [await relay.reserved(), await relay.peer()];
  const answer = await source.connectTo(target.peerId);
  assertOk(answer);
  const reader = new ByteReader((await target.nextIncoming()).stream);
  answer.stream.send(patternBytes(1000));
  assert.deepEqual(await reader.has(1000), patternBytes(1000));
  answer.stream.abort(new Error('done'));
  await until(async () => (await relay.counts()).circuits.count === 0, 'the last circuit to be over');
}

/** Streams that the relay still has on the connection of `peer`, as the peer sees it. */
const streamsLeft = (peer: WirePeer): number => peer.connection.streams.filter((stream) => stream.status === 'open').length;

describe('an adversary', () => {
  it('opens a thousand circuits at once and resets them at any moment, from either side', () =>
    withRelay(OPEN, async (relay) => {
      const random = seededRandom(1);
      const scripts: StopScript[] = [
        accept,
        accept,
        accept,
        ({ stream }) => stream.abort(new Error('no')),
        ({ stream }) => writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.PERMISSION_DENIED })),
        ({ stream }) => void stream.close(),
        (incoming) => (accept(incoming), incoming.stream.send(patternBytes(100)), incoming.stream.abort(new Error('changed my mind'))),
        (incoming) => (accept(incoming), incoming.stream.send(patternBytes(5 * KiB)), void incoming.stream.close()),
      ];
      const target = await relay.reserved({ stop: (incoming) => scripts[Math.floor(random() * scripts.length)]?.(incoming) });
      // Reserved: the relay is known to have set up the connection before the streams come.
      const sources = await Promise.all([relay.reserved(), relay.reserved(), relay.reserved(), relay.reserved()]);
      const attack = async (i: number): Promise<void> => {
        const stream = await (sources[i % 4] ?? assert.fail()).openHop();
        writeFrame(stream, encodeHop({ type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } }));
        if (random() < 0.5) stream.send(patternBytes(Math.floor(random() * 20_000)));
        const turns = Math.floor(random() * 40);
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (random() < 0.8) stream.abort(new Error('reset'));
        else await stream.close().catch(() => {});
      };
      await within(Promise.all(Array.from({ length: 1000 }, (_, i) => attack(i))), 'the attack to be over', 30_000);
      sources.forEach((source) => source.connection.abort(new Error('gone')));
      target.connection.abort(new Error('gone'));
      await relay.emptied();
      await assertUnharmed(relay);
    }));

  it('reserves and is gone before the answer, again and again', () =>
    withRelay(OPEN, async (relay) => {
      const random = seededRandom(2);
      for (let round = 0; round < 3; round++) {
        const peers = await Promise.all(Array.from({ length: 10 }, () => relay.peer()));
        await Promise.all(
          peers.map(async (peer) => {
            const streams = await Promise.all([peer.openHop(), peer.openHop()]);
            streams.forEach((stream) => writeFrame(stream, encodeHop({ type: 'RESERVE' })));
            for (let turn = random() * 6; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
            if (random() < 0.5) peer.connection.abort(new Error('gone'));
            else void peer.connection.close().catch(() => {});
          }),
        );
        await until(async () => (await relay.counts()).reservations.count === 0, 'no reservation to be left');
      }
      await assertUnharmed(relay);
    }));

  it('leaves, as source or target, while circuits run in both directions', () =>
    withRelay(OPEN, async (relay) => {
      for (const [side, how] of [['source', 'abort'], ['source', 'close'], ['target', 'abort'], ['target', 'close']] as const) {
        const [target, source] = [await relay.reserved(), await relay.peer()];
        const readers: ByteReader[] = [];
        for (let i = 0; i < 10; i++) {
          const { stream } = await source.connectTo(target.peerId);
          const { stream: far } = await target.nextIncoming();
          stream.send(patternBytes(300 * KiB));
          far.send(patternBytes(300 * KiB));
          readers.push(new ByteReader(side === 'source' ? far : stream));
        }
        const leaving = side === 'source' ? source : target;
        if (how === 'abort') leaving.connection.abort(new Error('gone'));
        else void leaving.connection.close().catch(() => {});
        await Promise.all(readers.map((reader) => reader.closed()));
        await until(async () => (await relay.counts()).circuits.count === 0, 'no circuit to be left');
        await until(() => streamsLeft(side === 'source' ? target : source) === 0, 'no stream to be left at the other side');
      }
      await assertUnharmed(relay);
    }));

  it('sends anything at all on HOP streams', () =>
    withRelay(OPEN, async (relay) => {
      const random = seededRandom(3);
      const peer = await relay.peer();
      const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
      const whole = concat([encodeVarint(40), encodeHop({ type: 'CONNECT', peer: { id: peer.peerId.toMultihash().bytes, addrs: [] } })]);
      for (let round = 0; round < 5; round++) {
        const streams = await Promise.all(Array.from({ length: 40 }, () => peer.openHop()));
        await Promise.all(
          streams.map(async (stream, i) => {
            const junk = [bytes(1 + random() * 60), concat([encodeVarint(30), bytes(30)]), whole.subarray(0, random() * whole.byteLength), bytes(100_000), Uint8Array.of(0)][i % 5] ?? assert.fail();
            if (junk.byteLength > 0) stream.send(junk);
            const ending = random();
            if (ending < 0.5) await stream.close().catch(() => {});
            else if (ending < 0.75) stream.abort(new Error('reset'));
          }),
        );
        streams.forEach((stream) => stream.abort(new Error('over')));
      }
      await until(() => streamsLeft(peer) === 0, 'no stream to be left');
      assertOk(await peer.reserve());
      await assertUnharmed(relay);
    }));
});

describe('an adversary below the protocol', () => {
  it('says anything at all on the port', () =>
    withRelay(OPEN, async (relay) => {
      const random = seededRandom(6);
      const sockets = Array.from({ length: 60 }, () => connect({ host: '127.0.0.1', port: relay.port }).on('error', () => {}));
      await Promise.all(
        sockets.map(async (socket, i) => {
          await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
          const junk = [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n'), Buffer.from(patternBytes(20_000, i)), ENDLESS_LENGTH][i % 4] ?? assert.fail();
          socket.write(junk);
          if (random() < 0.3) socket.end();
          else if (random() < 0.5) socket.resetAndDestroy();
        }),
      );
      await assertUnharmed(relay);
      sockets.forEach((socket) => socket.destroy());
      await until(async () => (await relay.metric('relayd_connections_pending')) === 0, 'the sockets to be let go');
    }));

  it('breaks the rules of the muxer, and loses its connection only', () =>
    withRelay(OPEN, async (relay) => {
      const [DATA, GO_AWAY] = [0, 3];
      const SYN = 1;
      const frames = [
        { type: 9, flag: 0, streamID: 1, length: 0 },
        { type: DATA, flag: 0, streamID: 0, length: 0 },
        { type: DATA, flag: SYN, streamID: 2, length: 0 },
        { type: GO_AWAY, flag: 0, streamID: 0, length: 1 },
        { type: GO_AWAY, flag: 0, streamID: 0, length: 0 },
      ];
      const target = await relay.reserved();
      for (const frame of frames) {
        const villain = await relay.peer();
        const { stream } = await villain.connectTo(target.peerId);
        const far = new ByteReader((await target.nextIncoming()).stream);
        const raw = stream as unknown as { sendFrame(header: object, body?: Uint8Array): void };
        raw.sendFrame(frame, frame.type === DATA ? new Uint8Array() : undefined);
        assert.notEqual(await far.closed(), 'end', JSON.stringify(frame));
        await until(async () => (await relay.counts()).circuits.count === 0, 'the circuit to be over');
      }
      assert.equal(target.connection.status, 'open');
      await assertUnharmed(relay);
    }));

  it('sends more than its window allows', () =>
    withRelay(OPEN, async (relay) => {
      const [target, villain] = [await relay.reserved(), await relay.peer()];
      const { stream } = await villain.connectTo(target.peerId);
      const { stream: far } = await target.nextIncoming();
      far.pause();
      const raw = stream as unknown as { sendFrame(header: object, body: Uint8Array): void; streamId: number };
      for (let i = 0; i < 40; i++) raw.sendFrame({ type: 0, flag: 0, streamID: raw.streamId, length: 64 * KiB }, new Uint8Array(64 * KiB));
      await until(() => villain.connection.status !== 'open', 'the relay to drop it');
      await until(async () => (await relay.counts()).circuits.count === 0, 'the circuit to be over');
      await assertUnharmed(relay);
    }));
});

describe('circuits under stress', () => {
  it('lose nothing when many of them carry bytes both ways and end in any order', () =>
    withRelay(OPEN, async (relay) => {
      const random = seededRandom(4);
      const targets = [await relay.reserved(), await relay.reserved()] as const;
      const sources = [await relay.peer(), await relay.peer()] as const;
      const running: Promise<void>[] = [];
      // Opened one after the other, so that each STOP stream belongs to its CONNECT; what they carry overlaps.
      for (let i = 0; i < 24; i++) {
        const target = targets[i % 2] ?? assert.fail();
        const { stream: near } = await (sources[(i >> 1) % 2] ?? assert.fail()).connectTo(target.peerId);
        const { stream: far } = await target.nextIncoming();
        running.push(exchange(near, far, Math.floor(random() * 700_000), Math.floor(random() * 700_000), random));
      }
      await Promise.all(running);
      const metrics = await relay.metrics();
      assert.equal(metrics.get('relayd_relay_circuits_ended_total{reason="finished",class="public"}'), 24);
      await assertUnharmed(relay);
    }));

  it('go on, and keep their limits, when the configuration is read again', async () => {
    const relay = await RelayUnderTest.start(OPEN, {
      reloadConfig: async (inline) => loadConfig({ inline: { ...inline, relay: { limits: { ...FREE, circuits: { ...FREE.circuits, max: 1, bytesPerDirection: '1KiB' } }, prefixes: { exempt: ['127.0.0.0/8'] } } } }),
    });
    try {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { stream } = await source.connectTo(target.peerId);
      const { stream: far } = await target.nextIncoming();
      const reader = new ByteReader(far);
      const sent = patternBytes(2_000 * KiB);
      stream.send(sent);
      await reader.has(1);
      const { changed } = await relay.node.reload();
      assert.ok(changed.includes('relay.limits.circuits.max'), changed.join(', '));
      assert.equal(sha256(await reader.has(sent.byteLength)), sha256(sent));
      const refused = await source.connectTo(target.peerId);
      assert.deepEqual([refused.refusal?.limit, refused.refusal?.maximum], ['circuits.max', 1]);
      stream.abort(new Error('over'));
      await until(async () => (await relay.counts()).circuits.count === 0, 'the circuit to be over');
      assert.equal((await source.connectTo(target.peerId)).limit?.dataBytes, KiB);
      assert.equal((await relay.counts()).reservations.count, 1, 'reservations stay');
    } finally {
      await relay.stop();
    }
  });

  it('finish while the relay drains, which admits nothing new', () =>
    withRelay({ ...OPEN, drain: { timeout: '20s' } }, async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { stream } = await source.connectTo(target.peerId);
      const { stream: far } = await target.nextIncoming();
      let drained = false;
      const draining = relay.node.drain().then(() => (drained = true));
      assert.equal(relay.node.state, 'draining');
      assert.deepEqual([(await source.connectTo(target.peerId)).refusal?.limit, (await target.reserve()).refusal?.limit], ['draining', 'draining']);
      await exchange(stream, far, 400_000, 300_000, seededRandom(5));
      await within(draining, 'the drain');
      assert.equal(drained, true);
    }));

  it('are cut at the end of the drain\'s time', () =>
    withRelay({ ...OPEN, drain: { timeout: '1s' } }, async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { stream } = await source.connectTo(target.peerId);
      const reader = new ByteReader(stream);
      const startedAt = performance.now();
      await relay.node.drain();
      assert.ok(performance.now() - startedAt >= 900, 'not before');
      assert.equal(stream.status, 'open', 'a drain does not stop the node');
      await relay.node.stop();
      assert.notEqual(await reader.closed(), 'end', 'what was cut must not look whole');
    }));

  it('are reset when the node stops in the middle of them; it starts again with the same identity and nothing held', () =>
    withRelay(OPEN, async (relay) => {
      const { peerId } = relay.node;
      for (let round = 0; round < 3; round++) {
        const waiting: StopScript = () => {};
        const [target, silent, source] = [await relay.reserved(), await relay.reserved({ stop: waiting }), await relay.peer()];
        const readers: ByteReader[] = [];
        for (let i = 0; i < 5; i++) {
          const { stream } = await source.connectTo(target.peerId);
          const { stream: far } = await target.nextIncoming();
          stream.send(patternBytes(600 * KiB));
          far.send(patternBytes(600 * KiB));
          readers.push(new ByteReader(stream));
        }
        const pending = source.connectTo(silent.peerId).catch(() => 'lost');
        await silent.nextIncoming();
        await within(relay.node.stop(), 'the node to stop');
        await Promise.all([...readers.map((reader) => reader.closed()), pending]);
        await relay.node.start();
        assert.equal(relay.node.peerId, peerId);
        assert.deepEqual(await relay.counts().then(({ circuits, reservations }) => [circuits.count, reservations.count]), [0, 0]);
      }
      await assertUnharmed(relay);
    }));

  it('leave nothing behind: streams, listeners, memory', () =>
    withRelay(OPEN, async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const round = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += 20) {
          await Promise.all(
            Array.from({ length: 20 }, async () => {
              const { stream } = await source.connectTo(target.peerId);
              stream.send(patternBytes(100));
              await stream.close();
              stream.abort(new Error('done'));
            }),
          );
          for (let taken = 0; taken < 20; taken++) (await target.nextIncoming()).stream.abort(new Error('done'));
        }
        await until(async () => (await relay.counts()).circuits.count === 0, 'no circuit to be left');
        await until(() => streamsLeft(source) + streamsLeft(target) === 0, 'no stream to be left');
      };
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc') as () => void;
      const heap = async (): Promise<number> => {
        await settled(20);
        gc();
        await settled(20);
        gc();
        return process.memoryUsage().heapUsed;
      };
      await round(200);
      const before = await heap();
      await round(600);
      const grownPerCircuit = ((await heap()) - before) / 600;
      assert.ok(grownPerCircuit < 2 * KiB, `${Math.round(grownPerCircuit)} bytes a circuit are left`);
      assert.ok(target.node.getProtocols().length > 0 && source.connection.streams.every((stream) => stream.protocol !== HOP_PROTOCOL));
    }));
});

/** Sends so many bytes each way, in pieces, with pauses of the readers, and ends both sides. All must come whole, and the ends in good order. */
async function exchange(near: Stream, far: Stream, there: number, back: number, random: () => number): Promise<void> {
  const [atFar, atNear] = [new ByteReader(far), new ByteReader(near)];
  const [sentThere, sentBack] = [patternBytes(there, 1), patternBytes(back, 2)];
  const send = async (stream: Stream, bytes: Uint8Array, reader: ByteReader): Promise<void> => {
    for (let at = 0; at < bytes.byteLength; ) {
      const piece = bytes.subarray(at, (at += 1 + Math.floor(random() * 60_000)));
      stream.send(piece);
      if (random() < 0.2 && reader.stream.readStatus === 'readable') reader.stream.pause();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stream.close();
  };
  const resuming = setInterval(() => [far, near].forEach((stream) => stream.readStatus === 'paused' && stream.resume()), 5);
  try {
    await within(Promise.all([send(near, sentThere, atFar), send(far, sentBack, atNear)]), 'both to be sent', 20_000);
    assert.deepEqual([await atFar.closed(), await atNear.closed()], ['end', 'end']);
  } finally {
    clearInterval(resuming);
  }
  assert.deepEqual([sha256(atFar.bytes), sha256(atNear.bytes)], [sha256(sentThere), sha256(sentBack)]);
}
