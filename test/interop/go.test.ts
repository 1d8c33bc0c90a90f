import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../conformance/waiting.ts';
import type { PeerProcess } from './support/peer-process.ts';
import { missing } from './support/peers.ts';
import { reachedThroughOurRelay, readsNoLimits, readsOurLimits, servesMembersByPeerId, understandsOurRefusals } from './support/relay-cases.ts';
import { UNLIMITED } from './support/relay-daemon.ts';
import type { RelayDaemon } from './support/relay-daemon.ts';
import { clientReaches, peerReaches } from './support/relayed.ts';
import { Scene } from './support/scene.ts';

/** go-libp2p's peers at our relay. */

const options = { timeout: 60_000, skip: missing('go') };

describe('go-libp2p at our relay', () => {
  reachedThroughOurRelay('go', ['go', 'rust'], 'noise');
  reachedThroughOurRelay('go', ['go', 'rust'], 'tls');
  readsOurLimits('go');
  readsNoLimits('go');
  understandsOurRefusals('go');
  servesMembersByPeerId('go');

  test('a go peer verifies our voucher and the expiry is that of our table', options, async (context) => {
    const scene = new Scene(context);
    const [relay, peer] = await Promise.all([scene.relay(), scene.peer('go')]);
    const { voucher, expire, addrs } = await peer.run('reserve', { relay: relay.addr });
    assert.equal(voucher, true);
    assert.deepEqual(addrs, [relay.addr]);
    const [row] = await relay.reservations();
    assert.equal(Date.parse(row?.expiresAt ?? '') / 1000, expire);
  });

  test('a go peer that reserves again renews, also at a full relay', options, async (context) => {
    const scene = new Scene(context);
    const [relay, peer] = await Promise.all([scene.relay({ limits: { reservations: { max: 1 } } }), scene.peer('go')]);
    await peer.run('reserve', { relay: relay.addr });
    await peer.run('reserve', { relay: relay.addr });
    assert.deepEqual((await relay.reservations()).map(({ renewals }) => renewals), [1]);
    assert.equal((await relay.metrics()).value('libp2p_relaysvc_reservations_total', { type: 'renewed' }), 1);
  });

  test("go's autorelay takes our relay and announces a circuit address", options, async (context) => {
    const scene = new Scene(context);
    const relay = await scene.relay({ limits: UNLIMITED });
    const [peer, caller, client] = await Promise.all([scene.peer('go', autorelay(relay)), scene.peer('go'), scene.client()]);
    const { addrs } = await peer.run('addrs', { waitCircuit: true });
    assert.deepEqual(circuits(addrs), [relay.circuitTo(peer.peerId)]);
    assert.deepEqual((await relay.reservations()).map((row) => row.peer), [peer.peerId]);
    await peerReaches(caller, peer.peerId, relay.circuitTo(peer.peerId));
    await clientReaches(client, peer.peerId, relay.circuitTo(peer.peerId), relay.peerId);
  });

  test("go's autorelay takes two relays of ours and is reached through both", options, async (context) => {
    const scene = new Scene(context);
    const relays = await Promise.all([scene.relay({ limits: UNLIMITED }), scene.relay({ limits: UNLIMITED })]);
    const peer = await scene.peer('go', autorelay(...relays));
    await announcesAll(peer, relays.map((relay) => relay.circuitTo(peer.peerId)));
    for (const relay of relays) {
      await peerReaches(await scene.peer('go'), peer.peerId, relay.circuitTo(peer.peerId));
    }
  });
});

function autorelay(...relays: RelayDaemon[]): { args: string[] } {
  return { args: ['--mode', 'autorelay', ...relays.flatMap(({ addr }) => ['--relay', addr])] };
}

/** Autorelay takes its relays one after the other. */
async function announcesAll(peer: PeerProcess, expected: readonly string[]): Promise<void> {
  const announced = async (): Promise<string[]> => circuits((await peer.run('addrs', { waitCircuit: true })).addrs);
  await eventually(async () => (await announced()).join() === expected.toSorted().join(), 20_000, `${expected.length} circuit addresses of autorelay`);
}

function circuits(addrs: readonly string[]): string[] {
  return addrs.filter((addr) => addr.includes('/p2p-circuit')).toSorted();
}
