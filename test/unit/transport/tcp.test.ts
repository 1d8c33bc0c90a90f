import type { Connection, Listener, MultiaddrConnection, Upgrader } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { TcpTransport } from '../../../src/transport/native/tcp.ts';
import { TcpConnection } from '../../../src/transport/native/tcp-connection.ts';
import { patternBytes } from '../../support/bytes.ts';
import { until, within } from '../../support/waiting.ts';
import { silent, turns } from './link-rig.ts';
import { rawSocketPair, socketPair } from './socket-pair.ts';

const HAS_IPV6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

const noLookup: LookupFunction = () => assert.fail('nothing to resolve');

function makeTransport(lookup: LookupFunction = noLookup): TcpTransport {
  return new TcpTransport({ logger: silent }, { lookup });
}

/** An upgrader that leaves connections as they are. */
function plainUpgrader(onInbound: (connection: MultiaddrConnection, signal: AbortSignal | undefined) => Promise<void> | void = () => undefined): Upgrader {
  const upgrader: Partial<Upgrader> = {
    upgradeOutbound: async (connection: MultiaddrConnection) => connection as unknown as Connection,
    upgradeInbound: async (connection: MultiaddrConnection, options: { signal?: AbortSignal }) => await onInbound(connection, options.signal),
  };
  return upgrader as Upgrader;
}

async function listening(address: string, upgrader = plainUpgrader()): Promise<Listener> {
  const listener = makeTransport().createListener({ upgrader });
  await listener.listen(multiaddr(address));
  return listener;
}

const portOf = (listener: Listener): number => Number(listener.getAddrs()[0]?.toString().split('/')[4]);

const patience = (): AbortSignal => AbortSignal.timeout(10_000);

/** Everything until the connection closes. */
async function readAll(connection: MultiaddrConnection): Promise<Buffer> {
  const pieces: Buffer[] = [];
  connection.addEventListener('message', (event) => pieces.push(Buffer.from(event.data.subarray())));
  await within(new Promise((resolve) => connection.addEventListener('close', resolve, { once: true })), 'the connection to close');
  return Buffer.concat(pieces);
}

describe('TcpTransport', () => {
  for (const address of ['/ip4/127.0.0.1/tcp/0', ...(HAS_IPV6 ? ['/ip6/::1/tcp/0'] : [])]) {
    it(`connects to what it listens on: ${address}`, async () => {
      const accepted = Promise.withResolvers<MultiaddrConnection>();
      const listener = await listening(address, plainUpgrader((connection) => accepted.resolve(connection)));
      const [addr] = listener.getAddrs();
      assert.ok(addr !== undefined && !addr.toString().endsWith('/0'));
      const near = (await makeTransport().dial(addr, { signal: patience(), upgrader: plainUpgrader() })) as unknown as TcpConnection;
      const far = await accepted.promise;
      assert.deepEqual([near.direction, far.direction, near.remoteAddr.toString()], ['outbound', 'inbound', addr.toString()]);
      assert.match(far.remoteAddr.toString(), address.startsWith('/ip6') ? /^\/ip6\/::1\/tcp\/\d+$/ : /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
      const got = readAll(far);
      near.send(patternBytes(100_000));
      await near.close();
      assert.ok((await got).equals(patternBytes(100_000)));
      await listener.close();
    });
  }

  it('resolves names by the lookup it was given', async () => {
    const listener = await listening('/ip4/127.0.0.1/tcp/0');
    const port = portOf(listener);
    const asked: string[] = [];
    const lookup: LookupFunction = (name, options, callback) => {
      asked.push(name);
      if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    };
    const connection = await makeTransport(lookup).dial(multiaddr(`/dns4/relay.test/tcp/${port}`), { signal: patience(), upgrader: plainUpgrader() });
    assert.deepEqual(asked, ['relay.test']);
    connection.abort(new Error('over'));
    await listener.close();
  });

  it('says which address refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await assert.rejects(makeTransport().dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { signal: patience(), upgrader: plainUpgrader() }), (error: Error) => {
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED`));
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
      return true;
    });
  });

  it('gives up a dial when its signal aborts: before, and while it connects', async () => {
    const transport = makeTransport(() => undefined);
    const addr = multiaddr('/dns4/never.test/tcp/1');
    await assert.rejects(transport.dial(addr, { signal: AbortSignal.abort(new Error('too late')), upgrader: plainUpgrader() }), /too late/);
    const giveUp = new AbortController();
    const dial = transport.dial(addr, { signal: giveUp.signal, upgrader: plainUpgrader() });
    setImmediate(() => giveUp.abort());
    await assert.rejects(within(dial, 'the dial to fail'), { name: 'AbortError' });
  });

  it('ends the socket when the upgrade fails, with a reset, and passes its error on', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const upgrader = { upgradeOutbound: async () => { throw new Error('no such peer'); } } as unknown as Upgrader;
    const arrived = once(server, 'connection');
    await assert.rejects(makeTransport().dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { signal: patience(), upgrader }), { message: 'no such peer' });
    const [socket] = (await arrived) as [Socket];
    socket.on('error', () => undefined);
    socket.resume();
    if (!socket.closed) await within(once(socket, 'close').catch(() => undefined), 'the end');
    server.close();
  });

  it('takes only addresses of TCP', () => {
    const addrs = ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/udp/1/quic-v1', '/ip4/127.0.0.1/tcp/1/ws', '/dns4/a.test/tcp/1'].map((text) => multiaddr(text));
    assert.deepEqual(makeTransport().dialFilter(addrs).map(String), ['/ip4/127.0.0.1/tcp/1', '/dns4/a.test/tcp/1']);
  });
});

describe('TcpListener', () => {
  it('fails with the error of the system when the port is taken, and closes then as well', async () => {
    const first = await listening('/ip4/127.0.0.1/tcp/0');
    const second = makeTransport().createListener({ upgrader: plainUpgrader() });
    await assert.rejects(second.listen(first.getAddrs()[0] as never), { code: 'EADDRINUSE' });
    assert.deepEqual(second.getAddrs(), []);
    await second.close();
    await first.close();
    await first.close();
  });

  it('ends what it accepted, and the upgrades, when it closes; the port is free then', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const upgrading = plainUpgrader((_connection, signal) => {
      signals.push(signal);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    const listener = await listening('/ip4/127.0.0.1/tcp/0', upgrading);
    let closes = 0;
    listener.addEventListener('close', () => closes++);
    const port = portOf(listener);
    const sockets = [connect(port), connect(port)];
    const ends = sockets.map(async (socket) => {
      socket.on('error', () => undefined).resume();
      await new Promise((resolve) => socket.once('close', resolve));
    });
    await until(() => signals.length === 2, 'both to be accepted');
    await listener.close();
    assert.deepEqual([signals.map((signal) => signal?.aborted), closes], [[true, true], 1]);
    await within(Promise.all(ends), 'the sockets to end');
    const again = await listening(`/ip4/127.0.0.1/tcp/${port}`);
    await again.close();
  });

  it('aborts a connection whose upgrade fails, and goes on', async () => {
    const accepted: MultiaddrConnection[] = [];
    const listener = await listening('/ip4/127.0.0.1/tcp/0', plainUpgrader((connection) => {
      accepted.push(connection);
      throw new Error('not you');
    }));
    const port = portOf(listener);
    for (let i = 0; i < 3; i++) {
      const socket = connect(port).resume();
      await within(new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve)), 'the end');
    }
    assert.deepEqual(accepted.map(({ status }) => status), ['aborted', 'aborted', 'aborted']);
    await listener.close();
  });
});

describe('TcpConnection', () => {
  it('sends what waits before it closes, to a reader that is slow', async () => {
    const [near, far] = await socketPair();
    const bytes = patternBytes(8_000_000);
    far.pause();
    near.send(bytes);
    const closing = near.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(near.status, 'closing');
    const got = readAll(far);
    far.resume();
    assert.ok((await got).equals(bytes));
    await closing;
    assert.deepEqual([near.status, far.status], ['closed', 'closed']);
  });

  it('waits no longer for a reader than its signal, and can be aborted then', async () => {
    const [near, far] = await socketPair();
    far.pause();
    near.send(patternBytes(8_000_000));
    await assert.rejects(near.close({ signal: AbortSignal.timeout(20) }));
    near.abort(new Error('too slow'));
    assert.equal(near.status, 'aborted');
    far.resume();
    await readAll(far);
  });

  it('says by a reset on the wire that bytes may be missing', async () => {
    const [near, far] = await socketPair();
    const ended = new Promise<Error | undefined>((resolve) => far.addEventListener('close', (event) => resolve(event.error)));
    near.abort(new Error('no more'));
    const error: NodeJS.ErrnoException | undefined = await within(ended, 'the reset');
    assert.equal(error?.code, 'ECONNRESET');
    assert.equal(far.status, 'aborted');
  });

  it('gives its socket away once, with what had come', async () => {
    const [near, far] = await socketPair();
    far.send(patternBytes(1000, 4));
    await until(() => near.readBufferLength === 1000, 'the bytes');
    const { socket, early } = near.takeSocket();
    assert.ok(Buffer.from(patternBytes(1000, 4)).equals(early));
    assert.throws(() => near.takeSocket(), /has been taken/);
    const next = once(socket, 'data') as Promise<[Buffer]>;
    far.send(Uint8Array.of(1, 2, 3));
    assert.deepEqual([...(await next)[0]], [1, 2, 3]);
    assert.equal(near.readBufferLength, 0, 'the connection reads no more');
    far.abort(new Error('over'));
    await until(() => near.status !== 'open', 'the end, of which the connection still hears');
  });

  it('is over, socket and all, when the other side ends its half, even if that reads no more', async () => {
    const [near, far] = await rawSocketPair();
    const connection = new TcpConnection({ socket: near, direction: 'inbound', logger: silent });
    far.on('error', () => undefined);
    far.pause();
    connection.send(patternBytes(8_000_000));
    await new Promise((resolve) => setImmediate(resolve));
    far.end();
    await until(() => near.closed, 'the socket to be freed');
    assert.equal(connection.status, 'closed');
    far.destroy();
  });

  it('is not made for a peer that has gone', async () => {
    const [near, far] = await rawSocketPair();
    near.destroy();
    far.on('error', () => undefined).resume();
    await once(near, 'close');
    assert.throws(() => new TcpConnection({ socket: near, direction: 'inbound', logger: silent }), /has gone/);
  });

  it('stops reading while it is paused', async () => {
    const [near, far] = await socketPair();
    let got = 0;
    near.addEventListener('message', (event) => (got += event.data.byteLength));
    near.pause();
    far.send(patternBytes(4_000_000));
    await turns(20);
    assert.equal(got, 0);
    assert.ok(near.readBufferLength < 1_000_000);
    near.resume();
    await until(() => got === 4_000_000, 'the rest');
    near.abort(new Error('over'));
    far.abort(new Error('over'));
  });
});
