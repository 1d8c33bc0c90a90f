import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { LISTEN, Nodes, metric, untilHolds } from '../support/nodes.ts';
import { assertOk } from '../support/refusals.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { TestRealm, tokenId, untilInForce } from '../support/test-realm.ts';
import { until, within } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';

/** Two seconds are promised; a busy machine takes longer. */
const CUT_WITHIN_MS = 10_000;

describe('a revocation', () => {
  let realm: TestRealm;
  let echo: Server;
  const nodes = new Nodes();
  const sockets: Socket[] = [];

  before(async () => {
    echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    realm = await TestRealm.create();
  });
  afterEach(async () => {
    sockets.forEach((socket) => socket.destroy());
    await nodes.stopAll();
  });
  after(async () => {
    echo.close();
    await realm.remove();
  });

  const startRelay = (): Promise<RelayNode> => nodes.start('relay', { role: 'relay', network: { listen: LISTEN }, realm: realm.relayKeys, relay: { open: false, maxEventLoopDelay: 'unlimited' } });
  const onlyAddr = (node: RelayNode): string => node.addrs[0] ?? assert.fail('it has no address');

  interface Home {
    relay: RelayNode;
    exposer: RelayNode;
    friend: RelayNode;
    friendToken: string;
  }

  /** A relay, a node behind it that exposes a service to holders of a token, and a friend who has one. */
  async function startHome({ direct = false } = {}): Promise<Home> {
    const relay = await startRelay();
    const { port } = echo.address() as AddressInfo;
    const exposer = await nodes.start('exposer', {
      role: 'client',
      network: { listen: direct ? LISTEN : [] },
      client: { relays: [onlyAddr(relay)], when: 'always', desired: 1 },
      realm: await realm.holderKeys(),
      tunnels: { expose: [{ name: 'ssh', to: `127.0.0.1:${port}`, allow: [] }] },
    });
    await untilHolds(exposer, 1);
    const friendToken = await realm.issue({ uses: ['reserve', 'connect', 'tunnel:ssh'] });
    const friend = await nodes.start('friend', {
      role: 'client',
      client: { relays: [onlyAddr(relay)], when: 'always', desired: 1, holePunch: false },
      realm: { ...realm.memberKeys, tokenFile: await realm.tokenFile(friendToken) },
      tunnels: { forward: [{ listen: '127.0.0.1:0', peer: exposer.peerId, name: 'ssh' }] },
    });
    await untilHolds(friend, 1);
    return { relay, exposer, friend, friendToken };
  }

  /** A connection through the friend's tunnel that has carried a byte there and back. */
  async function openTunnel(friend: RelayNode): Promise<Socket> {
    const socket = connect(friend.forwardPorts[0] ?? assert.fail(), '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    socket.write('x');
    const [back] = (await within(once(socket, 'data'), 'the echo')) as [Buffer];
    assert.equal(back.toString(), 'x');
    return socket;
  }

  /** Over the circuit, unless the friend can reach the exposer directly. */
  const pathTo = async (friend: RelayNode, peer: string): Promise<string[]> => (await friend.view.peers()).flatMap((row) => (row.peer === peer ? [row.path] : []));

  it('reaches the relay within seconds: reservation, circuits and tunnels end, the client is told why, and an honest member goes on', async () => {
    const { relay, exposer, friend, friendToken } = await startHome();
    const socket = await openTunnel(friend);
    assert.deepEqual(await pathTo(friend, exposer.peerId), ['relay']);
    assert.deepEqual(relay.view.circuits().map(({ token }) => token), [tokenId(friendToken)]);
    const closed = closing(socket);
    await realm.revoke(tokenId(friendToken));
    await within(closed, 'the tunnel to be cut', CUT_WITHIN_MS);
    await until(() => relay.view.reservations().length === 1 && relay.view.circuits().length === 0, 'the relay to be rid of it');
    assert.equal(relay.view.reservations()[0]?.peer, exposer.peerId);
    await until(() => friend.view.relays()[0]?.reason?.startsWith('refused: token revoked: ') === true, 'the friend knows why');
    assert.deepEqual(await untilHolds(exposer, 1), [relay.peerId]);
    assert.equal(await metric(relay, 'relayd_relay_circuits_ended_total{reason="revoked",class="member"}'), 1);
    const again = connect(friend.forwardPorts[0] ?? assert.fail(), '127.0.0.1').on('error', () => {});
    sockets.push(again);
    await within(closing(again), 'another try to fail', 40_000);
  });

  it('reaches a node that nobody logs into through its relay, and cuts what runs past the relay', async () => {
    const { relay, exposer, friend, friendToken } = await startHome({ direct: true });
    await friend.dialler.dial(exposer.addrs.find((addr) => !addr.includes('p2p-circuit')) ?? assert.fail(), { signal: AbortSignal.timeout(CUT_WITHIN_MS) });
    const socket = await openTunnel(friend);
    assert.ok((await pathTo(friend, exposer.peerId)).includes('direct'));
    assert.deepEqual(relay.view.circuits(), []);
    const closed = closing(socket);
    const taken = (): Promise<number> => metric(exposer, 'relayd_realm_revocation_lists_total{outcome="taken"}');
    // What the tests before took back it has heard of, or not yet.
    const known = (relay.view.status().realm as { sequence?: number }).sequence;
    if (known !== undefined) await untilInForce(exposer, known);
    const takenBefore = await taken();
    const sequence = await realm.revoke(tokenId(friendToken));
    await within(closed, 'the tunnel to be cut', CUT_WITHIN_MS);
    await untilInForce(exposer, sequence);
    assert.equal(await taken(), takenBefore + 1);
    const [row] = exposer.view.tunnels();
    assert.match(row?.lastError ?? '', new RegExp(`the token ${tokenId(friendToken)}, by which the peer was admitted, was revoked`));
    await until(() => exposer.view.tunnels()[0]?.open === 0, 'nothing to be open');
  });

  it('is carried by a client from a relay that has it to one that has not, and to a client that comes later', async () => {
    const told = await startRelay();
    const untold = await nodes.start('untold', { role: 'relay', network: { listen: LISTEN }, realm: realm.memberKeys, relay: { open: false } });
    const relays = [onlyAddr(told), onlyAddr(untold)];
    await nodes.start('carrier', { role: 'client', client: { relays, when: 'always', desired: 2 }, realm: await realm.holderKeys({ maxPeers: 2 }) });
    const sequence = await realm.revoke(tokenId(await realm.issue()));
    await untilInForce(untold, sequence);
    await nodes.stop('relay');
    await nodes.stop('carrier');
    const late = await nodes.start('late', { role: 'client', client: { relays: [onlyAddr(untold)], when: 'always', desired: 1 }, realm: await realm.holderKeys() });
    await untilInForce(late, sequence);
  });

  it('is not taken back by an older list, from the file or from a peer, nor by a restart', async () => {
    const relay = await RelayUnderTest.start({ relay: { open: false }, realm: realm.relayKeys });
    try {
      const member = await relay.peer();
      const token = await realm.token({ peer: member.peerId.toString() });
      await untilInForce(relay.node, await realm.revoke(tokenId(await realm.issue())));
      const older = await realm.revocations();
      const sequence = await realm.revoke(tokenId(token));
      await untilInForce(relay.node, sequence);
      const refused = async (): Promise<string | undefined> => (await member.request({ type: 'RESERVE', token })).refusal?.limit;
      assert.equal(await refused(), 'token revoked');
      await writeFile(realm.revocationFile, older);
      await relay.node.stop();
      await relay.node.start();
      await member.connect(relay.addr);
      assert.equal(await refused(), 'token revoked');
      await untilInForce(relay.node, sequence);
    } finally {
      await relay.stop();
    }
  });

  it('of a peer ends its membership by peer id too', async () => {
    const peers = [await WirePeer.start(), await WirePeer.start()] as const;
    const [member, target] = peers;
    const served = await RelayUnderTest.start({ relay: { open: false }, realm: { ...realm.relayKeys, members: peers.map(({ peerId }) => peerId.toString()) } });
    try {
      await Promise.all(peers.map((peer) => peer.connect(served.addr)));
      assertOk(await target.reserve());
      const answer = await member.connectTo(target.peerId);
      assertOk(answer);
      await realm.revoke(target.peerId.toString());
      assert.equal(await new ByteReader(answer.stream).closed(), 'reset');
      await until(() => target.connection.status !== 'open', 'its connection to end');
      await target.connect(served.addr);
      assert.equal((await target.reserve()).refusal?.limit, 'members only');
    } finally {
      await served.stop();
      await Promise.all(peers.map((peer) => peer.stop()));
    }
  });
});

/** `once` would reject when it is reset. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
