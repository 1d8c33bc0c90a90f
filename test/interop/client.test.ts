import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { TestRealm } from '../support/test-realm.ts';
import { makeHome } from './support/our-client.ts';
import type { OurClient } from './support/our-client.ts';
import type { PeerProcess } from './support/peer-process.ts';
import { missing, startPeer } from './support/peers.ts';
import type { PeerKind } from './support/peers.ts';
import { UNLIMITED } from './support/relay-daemon.ts';
import { MiB, clientReaches, peerReachesClient } from './support/relayed.ts';
import { Scene } from './support/scene.ts';

/** Our client at the relays of go-libp2p and rust-libp2p, and their peers with our client. */

const TIMEOUT = { timeout: 60_000 };
const RESERVED_MS = 15_000;

/** A relay that a MiB passes; rust's always has a time limit, which makes its circuits limited ones. */
const NO_BYTE_LIMIT = { go: ['--relay-unlimited'], rust: ['--relay-limit-data', '0'] };
const SHORT_TTL = { go: ['--relay-ttl', '6s'], rust: ['--relay-ttl', '6'] };

for (const kind of ['go', 'rust'] as const) {
  describe(`our client at a ${kind} relay`, { skip: missing('go', 'rust') }, () => {
    for (const security of ['noise', 'tls'] as const) {
      test(`it is reached by go, by rust and by our client over ${security}`, TIMEOUT, async (context) => {
        const scene = new Scene(context);
        const relay = await scene.peer(kind, relayOptions(NO_BYTE_LIMIT[kind], security));
        const client = await scene.client({ relays: [relay.addr] });
        const addr = await client.announces(relay.peerId, RESERVED_MS);
        assert.equal(addr, circuit(relay, client.peerId));
        for (const caller of await Promise.all([scene.peer('go', { security }), scene.peer('rust', { security })])) {
          await peerReachesClient(caller, client, addr, relay.peerId);
        }
        const other = await scene.client();
        const { path, via } = await other.ping(addr);
        assert.deepEqual({ path, via }, { path: 'relay', via: relay.peerId });
      });
    }

    test('it reaches go and rust peers there', TIMEOUT, async (context) => {
      const scene = new Scene(context);
      const relay = await scene.peer(kind, relayOptions(NO_BYTE_LIMIT[kind]));
      const [client, ...targets] = await Promise.all([scene.client(), scene.peer('go'), scene.peer('rust')]);
      for (const target of targets) {
        await target.run('reserve', { relay: relay.addr });
        await clientReaches(client, target.peerId, circuit(relay, target.peerId), relay.peerId);
      }
    });

    test('it is served as ever when it shows a token, which is nothing to such a relay', TIMEOUT, async (context) => {
      const scene = new Scene(context);
      const realm = await TestRealm.create();
      context.after(() => realm.remove());
      const relay = await scene.peer(kind, relayOptions(NO_BYTE_LIMIT[kind]));
      const client = await scene.client({ relays: [relay.addr], realm: await realm.holderKeys() });
      const addr = await client.announces(relay.peerId, RESERVED_MS);
      const caller = await scene.client({ relays: [relay.addr], realm: await realm.holderKeys() });
      assert.equal((await caller.ping(addr)).via, relay.peerId);
      assert.match(client.node.view.relays()[0]?.reason ?? '', /^held: /);
    });

    test('within the limits that the relay sets by default', TIMEOUT, async (context) => {
      const scene = new Scene(context);
      const relay = await scene.peer(kind, relayOptions([]));
      const [client, caller] = await Promise.all([scene.client({ relays: [relay.addr] }), scene.peer('go')]);
      await peerReachesClient(caller, client, await client.announces(relay.peerId, RESERVED_MS), relay.peerId, 32_768);
    });

    test('it renews a reservation of a short life', TIMEOUT, async (context) => {
      const scene = new Scene(context);
      const relay = await scene.peer(kind, relayOptions([...NO_BYTE_LIMIT[kind], ...SHORT_TTL[kind]]));
      const [client, caller] = await Promise.all([scene.client({ relays: [relay.addr] }), scene.peer(kind)]);
      const addr = await client.announces(relay.peerId, RESERVED_MS);
      const first = expiry(client);
      await client.next('reservation:renewed', RESERVED_MS);
      await client.next('reservation:renewed', RESERVED_MS);
      assert.ok(expiry(client) > first, 'the expiry moves');
      assert.equal(client.node.addrs.includes(addr), true, 'the address stays');
      await peerReachesClient(caller, client, addr, relay.peerId);
    });

    test('it is reserved again by itself when the relay was killed and comes back', TIMEOUT, async (context) => {
      const scene = new Scene(context);
      const seed = ['--seed', '4711'];
      const first = await scene.peer(kind, relayOptions([...NO_BYTE_LIMIT[kind], ...seed]));
      const [client, caller] = await Promise.all([scene.client({ relays: [first.addr] }), scene.peer(kind)]);
      await client.announces(first.peerId, RESERVED_MS);
      await first.kill();
      await client.isUnreachable(RESERVED_MS);
      const second = await scene.own(startAgain(kind, first, seed));
      assert.equal(second.peerId, first.peerId);
      const addr = await client.announces(second.peerId, 30_000);
      await peerReachesClient(caller, client, addr, second.peerId);
    });
  });
}

describe('our client at several relays', { skip: missing('go', 'rust') }, () => {
  test("it is reached through ours, go's and rust's at the same time", TIMEOUT, async (context) => {
    const scene = new Scene(context);
    const relays = await Promise.all([scene.relay({ limits: UNLIMITED }), scene.peer('go', relayOptions(NO_BYTE_LIMIT.go)), scene.peer('rust', relayOptions(NO_BYTE_LIMIT.rust))]);
    const client = await scene.client({ relays: relays.map(({ addr }) => addr) });
    for (const relay of relays) {
      const addr = await client.announces(relay.peerId, RESERVED_MS);
      await peerReachesClient(await scene.peer('go'), client, addr, relay.peerId);
      await peerReachesClient(await scene.peer('rust'), client, addr, relay.peerId);
    }
  });
});

describe('pings of our client', () => {
  for (const kind of ['go', 'rust', 'js3', 'js2'] as const) {
    // Peers take few ping streams of one connection (rust: one), and libp2p opens one at a time: ours wait for each other.
    test(`several at the same time to a ${kind} peer all succeed`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
      const scene = new Scene(context);
      const [relay, client, target] = await Promise.all([scene.relay({ limits: UNLIMITED }), scene.client(), scene.peer(kind)]);
      await target.run('reserve', { relay: relay.addr });
      await client.ping(relay.circuitTo(target.peerId));
      await Promise.all(Array.from({ length: 3 }, () => client.ping(target.peerId)));
    });
  }
});

describe('a tunnel of our clients', () => {
  for (const kind of ['go', 'rust'] as const) {
    test(`carries HTTP through a ${kind} relay`, { ...TIMEOUT, skip: missing(kind) }, async (context) => {
      const scene = new Scene(context);
      const body = randomBytes(MiB);
      const service = await scene.own(HttpService.start(body));
      const relay = await scene.peer(kind, relayOptions(NO_BYTE_LIMIT[kind]));
      const home = await makeHome();
      const exposing = await scene.client({ relays: [relay.addr], tunnels: { expose: [{ name: 'web', to: service.address, allow: [home.peerId] }] } });
      await exposing.announces(relay.peerId, RESERVED_MS);
      const forwarding = await scene.client({ home, relays: [relay.addr], tunnels: { forward: [{ listen: '127.0.0.1:0', peer: exposing.peerId, name: 'web' }] } });
      await forwarding.announces(relay.peerId, RESERVED_MS);

      const response = await fetch(`http://127.0.0.1:${forwarding.node.forwardPorts[0]}/`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(20_000) });
      assert.equal(response.status, 200);
      assert.ok(body.equals(Buffer.from(await response.arrayBuffer())), 'the body came through unchanged');
      const [row] = forwarding.node.view.tunnels();
      assert.deepEqual([row?.opened, row?.failed], [1, 0]);
    });
  }
});

function relayOptions(args: readonly string[], security?: 'noise' | 'tls'): { listen: true; security: 'noise' | 'tls' | undefined; args: string[] } {
  return { listen: true, security, args: ['--mode', 'relay', ...args] };
}

/** The same identity on the same port. */
function startAgain(kind: PeerKind, first: PeerProcess, seed: readonly string[]): Promise<PeerProcess> {
  const [listen = ''] = first.addr.split('/p2p/');
  return startPeer(kind, { args: ['--listen', listen, '--mode', 'relay', ...NO_BYTE_LIMIT[kind as 'go' | 'rust'], ...seed] });
}

function circuit(relay: { addr: string }, peer: string): string {
  return `${relay.addr}/p2p-circuit/p2p/${peer}`;
}

function expiry(client: OurClient): number {
  const held = client.node.view.relays().find(({ state }) => state === 'reserved');
  return Date.parse(held?.expiresAt ?? '');
}

/** Answers every request with the same body. */
class HttpService {
  readonly #server: ReturnType<typeof createServer>;

  static async start(body: Buffer): Promise<HttpService> {
    const server = createServer((_request, response) => void response.end(body));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
    await promise;
    return new HttpService(server);
  }

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }
}
