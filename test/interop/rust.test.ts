import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { missing } from './support/peers.ts';
import { reachedThroughOurRelay, readsNoLimits, readsOurLimits, servesMembersByPeerId, understandsOurRefusals } from './support/relay-cases.ts';
import { Scene } from './support/scene.ts';

/** rust-libp2p's peers at our relay. */

describe('rust-libp2p at our relay', () => {
  reachedThroughOurRelay('rust', ['rust', 'go'], 'noise');
  reachedThroughOurRelay('rust', ['rust', 'go'], 'tls');
  readsOurLimits('rust');
  readsNoLimits('rust');
  understandsOurRefusals('rust');
  servesMembersByPeerId('rust');

  test('a rust peer renews its reservation at our relay after three quarters of its life', { timeout: 60_000, skip: missing('rust') }, async (context) => {
    const scene = new Scene(context);
    const [relay, peer] = await Promise.all([scene.relay({ limits: { reservations: { ttl: '12s' } } }), scene.peer('rust')]);
    await peer.run('reserve', { relay: relay.addr });
    const [before] = await relay.reservations();
    // Nine seconds after it reserved; the three that are left are for a busy machine.
    await peer.noted(/renewal true/, 20_000);
    const [renewed] = await relay.reservations();
    assert.equal(renewed?.renewals, 1);
    assert.equal(renewed.openedAt, before?.openedAt);
    const movedBy = (Date.parse(renewed.expiresAt) - Date.parse(before?.expiresAt ?? '')) / 1000;
    assert.ok(movedBy >= 8 && movedBy <= 12, `the expiry moved by ${movedBy} s`);
    assert.equal((await relay.metrics()).value('libp2p_relaysvc_reservations_total', { type: 'renewed' }), 1);
  });
});
