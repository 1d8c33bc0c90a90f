import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startService } from '../../scripts/lib/service.ts';
import type { Service } from '../../scripts/lib/service.ts';
import { Fleet, forwardUrl, untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/waiting.ts';

/** Moving from tier 1 to tier 2 is a config change and a restart: same identities, same data directories. */

let fleet: Fleet;
let service: Service;

before(async () => {
  fleet = await Fleet.create();
  service = await startService();
});

after(async () => {
  await fleet.stopAll();
  service.stop();
});

interface Clients {
  a: Running;
  b: Running;
}

async function startClients(profile: 'tier1' | 'tier2', relays: string[]): Promise<Clients> {
  const [idA, idB] = await Promise.all([fleet.peerId('a'), fleet.peerId('b')]);
  const client = { profile, role: 'client', client: { relays } };
  const expose = [{ name: 'web', to: `127.0.0.1:${service.port}`, allow: [idB] }];
  const forward = [{ listen: '127.0.0.1:0', peer: idA, name: 'web' }];
  const [a, b] = await Promise.all([fleet.start('a', { ...client, tunnels: { expose } }), fleet.start('b', { ...client, tunnels: { forward } })]);
  return { a, b };
}

async function fetchThroughTunnel(b: Running): Promise<string> {
  const response = await fetch(await forwardUrl(b), { signal: AbortSignal.timeout(20_000) });
  return response.text();
}

test('tier 1, then tier 2 with a second relay: same identities, two reservations, a tunnel in both', { timeout: 240_000 }, async () => {
  const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`];
  const first = await fleet.start('relay-1', { profile: 'tier1', role: 'relay', network: { listen } });
  const one = await startClients('tier1', first.ready.addrs);
  await Promise.all([untilHeld(one.a, 1), untilHeld(one.b, 1)]);
  assert.equal(await fetchThroughTunnel(one.b), service.page);
  assert.equal(first.ready.profile, 'tier1');
  for (const name of ['a', 'b', 'relay-1']) {
    assert.equal(await fleet.stop(name), 'exit code 0', name);
  }

  const again = await fleet.start('relay-1', { profile: 'tier2', role: 'relay', network: { listen } });
  const second = await fleet.start('relay-2', { profile: 'tier2', role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
  assert.equal(again.ready.peerId, first.ready.peerId);
  const two = await startClients('tier2', [...again.ready.addrs, ...second.ready.addrs]);
  assert.deepEqual([two.a.ready.peerId, two.b.ready.peerId], [one.a.ready.peerId, one.b.ready.peerId]);
  const addrs = await untilHeld(two.a, 2);
  for (const relay of [again, second]) {
    assert.ok(addrs.some((text) => text.includes(relay.ready.peerId)), `no circuit address through ${relay.daemon.name} among ${addrs.join(' ')}`);
  }
  await untilHeld(two.b, 2);
  assert.equal(await fetchThroughTunnel(two.b), service.page);

  // What tier 2 is for: one relay dies, the other carries on.
  await fleet.kill('relay-1');
  await until(async () => (await fetchThroughTunnel(two.b).catch(() => '')) === service.page, 'the tunnel works through the other relay', 20_000);
  assert.equal((await untilHeld(two.a, 1)).length, 1);

  // And when it is back it is used again, by itself.
  await fleet.start('relay-1');
  await untilHeld(two.a, 2, 60_000);
});
