import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, setDefaultCACertificates } from 'node:tls';
import { after, afterEach, before, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { WebAuthority, writeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { Nodes, metric, untilHolds } from '../support/nodes.ts';
import { until, within } from '../support/waiting.ts';

const DAY_MS = 24 * 3_600_000;
const authority = new WebAuthority();
// What the clients of this process trust; a daemon is told by NODE_EXTRA_CA_CERTS.
setDefaultCACertificates([authority.cert]);

let dir: string;
let files: { certFile: string; keyFile: string };
const nodes = new Nodes();

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'relayd-websocket-'));
  files = writeCertificate(dir, authority.issue());
});
afterEach(() => nodes.stopAll());
after(() => rmSync(dir, { recursive: true, force: true }));

const client = (name: string, relay: string, more: object = {}): Promise<RelayNode> => nodes.start(name, { role: 'client', client: { relays: [relay], desired: 1 }, ...more });

/** The address of `relay` that ends in `kind` and its id. */
function addrOf(relay: RelayNode, kind: string): string {
  return relay.addrs.find((addr) => new RegExp(`/tcp/\\d+${kind}/p2p/`).test(addr)) ?? assert.fail(`${kind} in ${relay.addrs.join()}`);
}

/** However it comes. */
async function closeOf(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => void socket.once('close', () => resolve()));
}

/** What a TLS client is shown at `port`. */
async function shownAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost' });
  await within(once(socket, 'secureConnect'), 'TLS');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

describe('a relay on one port for TCP, WebSocket and WebSocket over TLS', () => {
  it('announces all three, is ready, and connects clients of every kind with each other', async () => {
    const port = await freePort();
    const listen = ['', '/ws', '/tls/ws'].map((kind) => `/ip4/127.0.0.1/tcp/${port}${kind}`);
    const relay = await nodes.start('relay', { role: 'relay', network: { listen, websocket: files } });
    assert.deepEqual(relay.addrs, listen.map((addr) => `${addr}/p2p/${relay.peerId}`));
    assert.deepEqual(await relay.view.readinessProblems(AbortSignal.timeout(10_000)), []);
    const clients = await Promise.all(['', '/ws', '/tls/ws'].map((kind, index) => client(`client${index}`, addrOf(relay, kind))));
    await Promise.all(clients.map((one) => untilHolds(one, 1)));
    const [overTcp, overWs, overWss] = clients as [RelayNode, RelayNode, RelayNode];
    for (const [from, to] of [[overTcp, overWss], [overWss, overWs], [overWs, overTcp]] as const) {
      const { path, rttMs, error } = await from.view.ping(to.addrs[0] ?? '', { count: 1, fresh: false, signal: AbortSignal.timeout(10_000) });
      assert.deepEqual([path, rttMs.length, error], ['relay', 1, undefined]);
    }
    const rows = await relay.view.peers();
    const kinds = clients.map(({ peerId }) => /\/tcp\/\d+((?:\/[a-z]+)*)\/p2p/.exec(rows.find(({ peer }) => peer === peerId)?.addr ?? '')?.[1]);
    assert.deepEqual(kinds, ['', '/ws', '/tls/ws']);
  });

  it('counts who has not upgraded among the handshakes of its address, and makes the silent give way', async () => {
    const port = await freePort();
    const listen = ['', '/ws', '/tls/ws'].map((kind) => `/ip4/127.0.0.1/tcp/${port}${kind}`);
    const relay = await nodes.start('relay', { role: 'relay', network: { listen, websocket: files }, connections: { pendingPerPrefix: 3 } });
    const sockets: Socket[] = [];
    try {
      for (const first of ['', 'GET / HTTP/1.1\r\n', '\u0016\u0003\u0001']) {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined).resume();
        if (first !== '') socket.write(first, 'latin1');
        sockets.push(socket);
      }
      await until(async () => (await metric(relay, 'relayd_connections_pending')) === 3, 'three handshakes');
      const silentGone = closeOf(sockets[0] as Socket);
      // A client dials again until there is room: the silent one goes after half a second.
      const honest = await client('honest', addrOf(relay, '/tls/ws'));
      await untilHolds(honest, 1, 30_000);
      await within(silentGone, 'the silent socket to go');
      assert.equal(await metric(relay, 'relayd_handshakes_evicted_total{reason="silent"}'), 1);
      assert.equal(sockets[1]?.closed, false, 'who has sent something stays for longer');
    } finally {
      sockets.forEach((socket) => socket.destroy());
    }
  });

  it('ends a request that never becomes WebSocket at the deadline of handshakes', { timeout: 40_000 }, async () => {
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0/tls/ws'], websocket: files } });
    const slow = ['/ws', '/tls/ws'].map((kind) => connect(Number(addrOf(relay, kind).split('/')[4]), '127.0.0.1').on('error', () => undefined).resume());
    slow[0]?.write('GET / HTTP/1.1\r\nHost: a\r\n');
    slow[1]?.write('\u0016\u0003\u0001', 'latin1');
    await within(Promise.all(slow.map(closeOf)), 'both to be ended', 30_000);
    assert.equal(await metric(relay, 'relayd_connections_pending'), 0);
  });
});

describe('a relay that listens only for WebSocket', () => {
  for (const kind of ['/ws', '/tls/ws']) {
    it(`is ready: ${kind}, whatever its certificate is for`, async () => {
      const other = writeCertificate(mkdtempSync(join(dir, 'other-')), authority.issue({ names: ['relay.example.org'] }));
      const relay = await nodes.start('relay', { role: 'relay', network: { listen: [`/ip4/127.0.0.1/tcp/0${kind}`], websocket: other } });
      assert.deepEqual(await relay.view.readinessProblems(AbortSignal.timeout(10_000)), []);
    });
  }

  it('works on the stock data path too', async () => {
    const stock = { dataPath: 'stock' };
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'], websocket: files, ...stock } });
    const [one, two] = await Promise.all([client('one', addrOf(relay, '/tls/ws'), { network: stock }), client('two', addrOf(relay, '/tls/ws'))]);
    await Promise.all([untilHolds(one, 1), untilHolds(two, 1)]);
    assert.equal((await one.view.ping(two.addrs[0] ?? '', { count: 1, fresh: false, signal: AbortSignal.timeout(10_000) })).path, 'relay');
  });
});

describe('a certificate that is renewed', () => {
  it('is shown to new connections without a restart, and a reservation goes on', async () => {
    const here = mkdtempSync(join(dir, 'renewed-'));
    const first = authority.issue({ expiresAt: Date.now() + 40 * DAY_MS });
    const pair = writeCertificate(here, first);
    const clock = new ManualClock(Date.now());
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'], websocket: pair } }, clock);
    const port = Number(addrOf(relay, '/tls/ws').split('/')[4]);
    const holder = await client('holder', addrOf(relay, '/tls/ws'));
    await untilHolds(holder, 1);
    const [shown, expires] = [await shownAt(port), await metric(relay, 'relayd_certificate_expires_seconds')];
    assert.ok(Math.abs(expires - Date.now() / 1_000 - 40 * 86_400) < 86_400, `${expires}`);
    writeCertificate(here, authority.issue({ expiresAt: Date.now() + 80 * DAY_MS }));
    Object.values(pair).forEach((file) => utimesSync(file, 1, 1));
    await until(async () => {
      clock.advance(5_000);
      return (await shownAt(port)) !== shown;
    }, 'the new certificate');
    assert.ok((await metric(relay, 'relayd_certificate_expires_seconds')) > expires + 30 * 86_400);
    assert.deepEqual(holder.view.relays().map(({ state }) => state), ['reserved']);
    assert.equal(relay.view.reservations().length, 1);
  });

  it('has no series without one', async () => {
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } });
    assert.doesNotMatch(await relay.view.metrics(), /^relayd_certificate_expires_seconds /m);
  });
});
