import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MAX_CANDIDATES } from '../../src/client/candidates.ts';
import { MAX_PER_SOURCE } from '../../src/client/found-peers.ts';
import type { FoundPeer } from '../../src/lib/contracts.ts';
import { newPeer } from '../unit/client/candidate-support.ts';
import { Rig } from '../unit/client/statements-rig.ts';
import { addrOf, metric, stockRelay, testClient, until } from '../unit/client/support.ts';

/** What may be left over from one part of a run to the next: caches of the engine, not one object a peer or a statement. */
const SLACK_BYTES = 2 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** Peers at a port of this machine where nobody listens. */
async function strangers(count: number): Promise<FoundPeer[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const peer = await newPeer();
      return { peer, addrs: [multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${peer.toString()}`)] };
    }),
  );
}

test('10,000 peers, 1,000 at a time: what is kept has bounds, the heap is flat, and the relay among them is used', { timeout: 240_000 }, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ desired: 1 });
  const real = { peer: relay.peerId, addrs: [multiaddr(addrOf(relay))] };
  const rounds = async (count: number): Promise<number> => {
    for (let round = 0; round < count; round++) {
      client.supervisor.discovered('dht', [...(await strangers(1_000)), real]);
      // Behind a thousand keys and a thousand dials, which on a busy machine take their time.
      await until(() => client.supervisor.held === 1, 'the relay is held', 60_000);
    }
    client.supervisor.discovered('dht', [real]);
    return await heapBytes();
  };
  const before = await rounds(3);
  const after = await rounds(7);
  assert.ok(after - before < SLACK_BYTES, `${((after - before) / 1024).toFixed(0)} KiB more`);
  for (const source of ['dht', 'mdns', 'relay', 'cache'] as const) client.supervisor.discovered(source, await strangers(1_500));
  assert.equal(await metric(client.registry, 'relayd_client_peers_found'), 4 * MAX_PER_SOURCE);
  assert.ok(client.supervisor.candidates().length <= MAX_CANDIDATES);
});

test('10,000 statements: the last is kept, and the heap is flat', { timeout: 240_000 }, async () => {
  const rig = await Rig.make();
  let sequence = 0;
  const take = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) {
      sequence += 1;
      rig.clock.advance(10_000);
      await rig.push(await rig.seal({ sequence, region: `region ${sequence}` }));
      rig.seen.length = 0;
    }
    return await heapBytes();
  };
  const before = await take(1_000);
  const after = await take(9_000);
  assert.equal(rig.relay.statement?.content.sequence, 10_000);
  assert.ok(after - before < SLACK_BYTES, `${((after - before) / 1024).toFixed(0)} KiB more`);
});
