import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Fleet, untilHeld } from '../support/fleet.ts';
import { until } from '../support/waiting.ts';

/** A peer that is known by its id alone, and that sits on a relay which the caller has never heard of. */

let fleet: Fleet;

before(async () => {
  fleet = await Fleet.create();
});

after(async () => {
  await fleet.stopAll();
});

interface Ping {
  path: string | null;
  via: string | null;
  error?: string;
}

test('a bare peer id is looked up in the DHT, and the peer is reached through the relay that its record names', { timeout: 120_000 }, async () => {
  const listen = ['/ip4/127.0.0.1/tcp/0'];
  const dht = (mode: string): object => ({ enabled: true, protocol: '/relayd-test/kad/1.0.0', mode });
  // No relay: a client that serves the DHT, so that nobody finds a way through it.
  const directory = await fleet.start('directory', { role: 'client', network: { listen }, discovery: { dht: dht('server') } });
  const relay = await fleet.start('relay', { role: 'relay', network: { listen } });
  const discovery = { bootstrap: directory.ready.addrs, dht: dht('client') };
  const target = await fleet.start('target', { role: 'client', client: { relays: relay.ready.addrs }, discovery });
  await untilHeld(target, 1);
  const caller = await fleet.start('caller', { role: 'client', client: { desired: 1 }, discovery });

  let result: Ping | undefined;
  const reached = async (): Promise<boolean> => {
    result = await caller.daemon.post<Ping>('/api/v1/ping', { peer: target.ready.peerId, count: 1 });
    return result.error === undefined;
  };
  await until(reached, 'the caller reaches the target', 40_000).catch(() => assert.fail(`not reached: ${result?.error}`));
  assert.equal(result?.path, 'relay');
  assert.equal(result?.via, relay.ready.peerId);
});

test('without the DHT the same peer is not found, and the error says so', { timeout: 120_000 }, async () => {
  const stranger = await fleet.start('stranger', { role: 'client' });
  const { error } = await stranger.daemon.post<Ping>('/api/v1/ping', { peer: await fleet.peerId('target'), count: 1 });
  assert.match(error ?? '', /no address/i);
});
