import { quic as stockQuic } from '@chainsafe/libp2p-quic';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { lookup } from 'node:dns';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { circuitTransport, clientService } from '../../src/client/index.ts';
import { createRelayNode } from '../../src/index.ts';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { dataPath, loadQuic } from '../../src/transport/index.ts';
import { quicTransport } from '../../src/transport/quic/transport.ts';
import { until, within } from '../support/waiting.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const WINDOW = 256 * KiB;
const PROTOCOL = '/test/quic/1.0.0';
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

/** QUIC is an optional package: where it is not there is nothing to test. */
const absent = await loadQuic().then(
  () => false as const,
  () => 'the optional QUIC package is not installed',
);

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

const LISTEN = { addresses: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] }, connectionGater: { denyDialMultiaddr: () => false } };

async function ours(listen = LISTEN.addresses.listen): Promise<Libp2p> {
  return await createLibp2p({ ...LISTEN, addresses: { listen }, transports: [quicTransport({ module: await loadQuic(), windowBytes: WINDOW, lookup })] });
}

async function stock(): Promise<Libp2p> {
  return await createLibp2p({ ...LISTEN, transports: [stockQuic()] });
}

/** Handshakes that nobody goes on with. */
const SILENT = 8;

/** Passes a dial's first packet on to `port`, and nothing that comes back. Returns how to end it. */
async function beginAndFallSilent(node: Libp2p, port: number, peer: string): Promise<() => void> {
  const between = createSocket('udp4');
  const outward = createSocket('udp4');
  between.bind(0, '127.0.0.1');
  await once(between, 'listening');
  const dial = new AbortController();
  const answered = once(outward, 'message');
  between.once('message', (packet: Buffer) => outward.send(packet, port, '127.0.0.1'));
  node.dial(multiaddr(`/ip4/127.0.0.1/udp/${between.address().port}/quic-v1/p2p/${peer}`), { signal: dial.signal }).catch(() => {});
  await within(answered, 'the listener has begun to answer');
  return () => {
    dial.abort();
    between.close();
    outward.close();
  };
}

/** A stream from `from` to `to`: both ends, and what it runs over. */
async function pair(from: Libp2p, to: Libp2p): Promise<[Stream, Stream, Connection]> {
  const there = Promise.withResolvers<Stream>();
  await to.handle(PROTOCOL, (stream) => there.resolve(stream), { force: true });
  const connection = await from.dial(to.getMultiaddrs(), { signal: soon() });
  const here = await connection.newStream(PROTOCOL, { signal: soon() });
  return [here, await within(there.promise, 'the stream arrives'), connection];
}

for (const [name, makeOther] of [['ours', ours], ['the library\'s', stock]] as const) {
  describe(`a stream over QUIC, with ${name} at the other end`, { skip: absent }, () => {
    let a: Libp2p;
    let b: Libp2p;
    before(async () => void ([a, b] = [await ours(), await makeOther()]));
    after(() => Promise.all([a.stop(), b.stop()]));

    it('carries data both ways, and each half ends by itself', async () => {
      const [here, there] = await pair(a, b);
      there.addEventListener('message', ({ data }) => void there.send(data));
      there.addEventListener('remoteCloseWrite', () => void there.close());
      const back: Uint8Array[] = [];
      const ended = Promise.withResolvers<void>();
      here.addEventListener('message', ({ data }) => back.push(data.subarray()));
      here.addEventListener('remoteCloseWrite', () => ended.resolve());
      const sent = Buffer.alloc(MiB, Uint8Array.from({ length: 251 }, (_, i) => i));
      here.send(sent);
      await here.close();
      await within(ended.promise, 'all comes back');
      assert.ok(Buffer.concat(back).equals(sent));
      assert.equal(here.status, 'closed');
    });

    it('stops the sender while our reader is paused, and goes on after it', async () => {
      await assertStops(...((await pair(b, a)).slice(0, 2) as [Stream, Stream]));
    });

    it('passes a reset on as a reset', async () => {
      const [here, there] = await pair(b, a);
      const closed = once(there, 'close');
      here.abort(new Error('enough'));
      await within(closed, 'the reset arrives');
      assert.equal(there.status, 'reset');
    });

    it('ends with its connection', async () => {
      const [, there, connection] = await pair(b, a);
      const closed = once(there, 'close');
      connection.abort(new Error('enough'));
      await within(closed, 'the end arrives');
      assert.notEqual(there.status, 'open');
    });
  });
}

/** More than all buffers on the way hold, of which each has a window or two. */
const FLOOD_BYTES = 16 * MiB;

/** The sender is stopped while `there` is paused, nothing breaks, and all comes once it is not. */
async function assertStops(here: Stream, there: Stream): Promise<void> {
  let got = 0;
  there.addEventListener('message', ({ data }) => (got += data.byteLength));
  there.pause();
  let left = FLOOD_BYTES;
  const pump = (): void => {
    while (left > 0) {
      left -= 64 * KiB;
      if (!here.send(Buffer.alloc(64 * KiB))) return;
    }
  };
  here.addEventListener('drain', pump);
  pump();
  const taken = FLOOD_BYTES - (await untilStill(() => left));
  assert.ok(taken <= 16 * WINDOW, `${taken} bytes were taken from the sender`);
  assert.equal(there.status, 'open');
  there.resume();
  await until(() => got === FLOOD_BYTES, 'all has come');
}

/** A peer that reaches others through relays, over QUIC. */
async function peerOfRelay(): Promise<Libp2p> {
  const parts = dataPath('native', { security: ['noise'], swarmKey: undefined, windowBytes: WINDOW, lookup, clock: systemClock, quic: await loadQuic() });
  const transports = [...(parts.transports ?? []), circuitTransport({ registry: new Registry() })];
  return await createLibp2p({ ...parts, transports, addresses: { listen: [] }, connectionGater: { denyDialMultiaddr: () => false }, services: { client: clientService() } });
}

/** Waits until `value` has not changed for a while: for a sender that is to stop, which nobody tells. */
async function untilStill(value: () => number): Promise<number> {
  let last = NaN;
  let looks = 0;
  await until(() => {
    looks = value() === last ? looks + 1 : 0;
    last = value();
    return looks > 60;
  }, 'it stands still');
  return last;
}

/** Sooner than QUIC itself gives a handshake up. */
const GIVEN_UP_MS = 4_000;

describe('a dial over QUIC', { skip: absent }, () => {
  it('is given up with its signal, although nobody answers', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const node = await ours();
    try {
      const dial = node.dial(multiaddr(`/ip4/127.0.0.1/udp/${silent.address().port}/quic-v1`), { signal: AbortSignal.timeout(100) });
      await within(assert.rejects(dial), 'it is given up', GIVEN_UP_MS);
    } finally {
      silent.close();
      await node.stop();
    }
  });

  it('is answered although others began and fell silent', async () => {
    const [listener, honest] = [await ours(), await ours()];
    const silent = await Promise.all(Array.from({ length: SILENT }, () => ours()));
    const port = Number(multiaddr(listener.getMultiaddrs()[0]).getComponents()[1]?.value);
    const begun = await Promise.all(silent.map((node) => beginAndFallSilent(node, port, listener.peerId.toString())));
    try {
      await honest.dial(listener.getMultiaddrs(), { signal: AbortSignal.timeout(5_000) });
    } finally {
      begun.forEach((end) => end());
      await Promise.all([listener, honest, ...silent].map(async (node) => await node.stop()));
    }
  });

  it('goes over IPv6, to the same port number as over IPv4', { skip: hasIpv6 ? false : 'this machine has no IPv6' }, async () => {
    const v4 = await ours();
    const port = v4.getMultiaddrs()[0]?.getComponents().find(({ name }) => name === 'udp')?.value;
    const [v6, node] = [await ours([`/ip6/::1/udp/${port}/quic-v1`]), await ours([])];
    try {
      assert.equal((await node.dial(v6.getMultiaddrs(), { signal: soon() })).remotePeer.toString(), v6.peerId.toString());
      assert.equal((await node.dial(v4.getMultiaddrs(), { signal: soon() })).remotePeer.toString(), v4.peerId.toString());
    } finally {
      await Promise.all([v4.stop(), v6.stop(), node.stop()]);
    }
  });

  it('takes a name, and goes where the lookup says', async () => {
    const [a, b] = [await createLibp2p({ ...LISTEN, transports: [quicTransport({ module: await loadQuic(), windowBytes: WINDOW, lookup: (_name, _options, done) => done(null, '127.0.0.1', 4) })] }), await ours()];
    try {
      const port = b.getMultiaddrs()[0]?.getComponents().find(({ name }) => name === 'udp')?.value;
      const connection = await a.dial(multiaddr(`/dns4/relay.test/udp/${port}/quic-v1`), { signal: soon() });
      assert.equal(connection.remotePeer.toString(), b.peerId.toString());
    } finally {
      await Promise.all([a.stop(), b.stop()]);
    }
  });
});

describe('a relay that listens on QUIC', { skip: absent }, () => {
  let dir: string;
  const common = { admin: { listen: '127.0.0.1:0' }, log: { level: 'warn' } } as const;
  before(async () => void (dir = await mkdtemp(join(tmpdir(), 'relayd-quic-'))));
  after(() => rm(dir, { recursive: true, force: true }));

  it('reserves and carries circuits over it, counts its connections, and is ready', async () => {
    const relay = await createRelayNode({ ...common, role: 'relay', dataDir: join(dir, 'relay'), network: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'], allowPrivate: true } }, { log: silentLogger });
    await relay.start();
    const clients = await Promise.all(['one', 'two'].map((name) => createRelayNode({ ...common, role: 'client', dataDir: join(dir, name), network: { listen: [], allowPrivate: true }, client: { relays: relay.addrs, holePunch: false } }, { log: silentLogger })));
    const [one, two] = clients as [typeof relay, typeof relay];
    try {
      assert.match(relay.addrs[0] ?? '', /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/p2p\//);
      await Promise.all([one.start(), two.start()]);
      await until(() => one.addrs.some((addr) => addr.includes('/p2p-circuit')), 'the client has reserved');
      const result = await two.view.ping(one.peerId, { count: 2, fresh: false, signal: soon() });
      assert.deepEqual([result.path, result.via, result.rttMs.length, result.error], ['relay', relay.peerId, 2, undefined]);
      assert.match(await relay.view.metrics(), /^relayd_connections_open 2$/m);
      assert.deepEqual(await relay.view.readinessProblems(soon()), []);
    } finally {
      await Promise.all(clients.map((client) => client.stop()));
      await relay.stop();
    }
  });

  it('stops the sender of a circuit while the receiver is paused, and goes on after it', async () => {
    const relay = await createRelayNode({ ...common, role: 'relay', dataDir: join(dir, 'flow'), network: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'], allowPrivate: true }, relay: { limits: { circuits: { bytesPerDirection: 'unlimited' } } } }, { log: silentLogger });
    await relay.start();
    const [source, target] = [await peerOfRelay(), await peerOfRelay()];
    try {
      const hop = await (await target.dial(multiaddr(relay.addrs[0]), { signal: soon() })).newStream(HOP_PROTOCOL, { signal: soon() });
      writeFrame(hop, encodeHop({ type: 'RESERVE' }));
      await readFrame(hop, { signal: soon() });
      const arrived = Promise.withResolvers<Stream>();
      await target.handle(PROTOCOL, (stream) => arrived.resolve(stream), { runOnLimitedConnection: true });
      const circuit = await source.dial(multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${target.peerId.toString()}`), { signal: soon() });
      const here = await circuit.newStream(PROTOCOL, { signal: soon(), runOnLimitedConnection: true });
      await assertStops(here, await within(arrived.promise, 'the stream arrives'));
    } finally {
      await Promise.all([source.stop(), target.stop()]);
      await relay.stop();
    }
  });

  it('says which UDP port is taken', async () => {
    const other = createSocket('udp4');
    other.bind(0, '127.0.0.1');
    await once(other, 'listening');
    const addr = `/ip4/127.0.0.1/udp/${other.address().port}/quic-v1`;
    const relay = await createRelayNode({ ...common, role: 'relay', dataDir: join(dir, 'taken'), network: { listen: [addr], allowPrivate: true } }, { log: silentLogger });
    await assert.rejects(relay.start(), (error: unknown) => error instanceof RelaydError && error.code === 'ADDRESS_IN_USE' && error.message.includes(addr));
    other.close();
  });
});
