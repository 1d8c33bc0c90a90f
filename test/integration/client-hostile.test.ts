import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { talkingRelay } from '../support/talking-relay.ts';
import { newPeer } from '../unit/client/candidate-support.ts';
import { freezableProxy, testClient, until } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };

/** What must not happen would have happened several times by then. */
const LONG_MS = 1_500;

test('a relay in reserve that drains is left alone, and not connected to again and again', DEADLINE, async () => {
  await using held = await talkingRelay();
  await using reserve = await talkingRelay();
  await using client = await testClient({ relays: [held.addr], desired: 1, random: () => 0.05 });
  await until(() => client.supervisor.held === 1, 'one is held');
  client.supervisor.update({ relays: [held.addr, reserve.addr] });
  await until(() => client.supervisor.candidates().some(({ peer, state }) => peer === reserve.id && state === 'standby') && reserve.clients().length === 1, 'the other is in reserve');
  let connections = 0;
  reserve.node.addEventListener('connection:open', () => (connections += 1));
  await reserve.push({ draining: true, drainEndsInMs: 30_000 });
  await new Promise((resolve) => setTimeout(resolve, LONG_MS));
  assert.equal(connections, 0);
  assert.equal(client.supervisor.candidates().find(({ peer }) => peer === reserve.id)?.reason, 'draining');
});

/** A TCP server that closes what comes at once, and counts: somebody who has nothing to do with relays. */
async function victim(): Promise<{ port: number; calls: number } & AsyncDisposable> {
  const server = net.createServer((socket) => {
    made.calls += 1;
    socket.on('error', () => {}).destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const made = { port, calls: 0, [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))) };
  return made;
}

test('a relay that names others all the time cannot have them dialled all the time', DEADLINE, async () => {
  await using relay = await talkingRelay();
  await using target = await victim();
  // Back-offs near their longest: what is named once is dialled once.
  await using client = await testClient({ relays: [relay.addr], desired: 1, random: () => 0.99 });
  await until(() => client.supervisor.held === 1, 'it is held');
  for (let round = 1; round <= 10; round++) {
    const peers = await Promise.all(Array.from({ length: 8 }, newPeer));
    await relay.push({ alternatives: peers.map((peer) => multiaddr(`/ip4/127.0.0.1/tcp/${target.port}/p2p/${peer.toString()}`)) });
    await until(() => target.calls >= 8 * round, 'they are dialled', 300).catch(() => {});
  }
  assert.ok(target.calls >= 8, 'some are dialled');
  assert.ok(target.calls <= 8 * 8, `${target.calls} dials: of 80 peers at most 16, and those again after a while`);
});

test('a relay that is let go because nobody names it any more is left at once, and so are the relays that it named', DEADLINE, async () => {
  await using named = await talkingRelay();
  await using old = await talkingRelay({ alternatives: [multiaddr(named.addr)] });
  await using next = await talkingRelay();
  await using client = await testClient({ relays: [old.addr], desired: 1 });
  await until(() => client.supervisor.candidates().some(({ peer }) => peer === named.id), 'it has named another');
  client.supervisor.update({ relays: [next.addr] });
  await until(() => client.supervisor.candidates().map(({ peer }) => peer).join() === next.id, 'neither is a candidate');
});

test('a relay that drains and is no longer named is told that it may go when it is let go', DEADLINE, async () => {
  await using old = await talkingRelay();
  await using next = await talkingRelay();
  await using proxy = await freezableProxy(Number(/tcp\/(\d+)/.exec(next.addr)?.[1]));
  await using client = await testClient({ relays: [old.addr], desired: 1 });
  await until(() => client.supervisor.held === 1, 'it is held');
  proxy.freeze();
  client.supervisor.update({ relays: [next.addr.replace(/tcp\/\d+/, `tcp/${proxy.port}`)] });
  const told = old.push({ draining: true, drainEndsInMs: 30_000 });
  await until(() => client.supervisor.candidates().some(({ peer, draining }) => peer === old.id && draining), 'the notice is taken');
  proxy.thaw();
  await told;
  await until(() => client.libp2p.getConnections(old.node.peerId).length === 0, 'it is left');
});
