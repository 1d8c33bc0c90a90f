import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRoutes, routeLabel } from '../../../src/client/dial-plan.ts';
import type { PlanInput } from '../../../src/client/dial-plan.ts';
import { parseTarget } from '../../../src/client/dial-target.ts';
import { noRelays } from '../../../src/client/directory.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

const peers = await Promise.all(Array.from({ length: 6 }, async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))));
const [self, target, relay1, relay2, relay3, relay4] = peers as [PeerId, PeerId, PeerId, PeerId, PeerId, PeerId];

const direct = (n: number) => multiaddr(`/ip4/198.51.100.${n}/tcp/4001/p2p/${target.toString()}`);
const via = (relay: PeerId, n = 1) => multiaddr(`/ip4/203.0.113.${n}/tcp/4001/p2p/${relay.toString()}/p2p-circuit/p2p/${target.toString()}`);
const label = (relay: PeerId): string => `relay ${relay.toString()}`;

function plan(input: Partial<PlanInput>): string[][] {
  return planRoutes({ self, target, given: undefined, known: [], relays: noRelays, isConnected: () => false, ...input }).map((slot) => slot.map(routeLabel));
}

test('direct addresses together first, then a slot a relay: those that the peer names, then ours', () => {
  const ours = { ...noRelays, relays: () => [{ relay: relay3, addrs: [] }, { relay: relay1, addrs: [] }] };
  const slots = plan({ known: [via(relay1), direct(1), via(relay2), direct(2)], relays: ours });
  assert.deepEqual(slots, [[direct(1).toString(), direct(2).toString()], [label(relay1)], [label(relay2)], [label(relay3)]]);
});

test('several addresses of one relay are one slot', () => {
  const [slot] = planRoutes({ self, target, given: undefined, known: [via(relay1, 1), via(relay1, 2)], relays: noRelays, isConnected: () => false });
  assert.equal(slot?.length, 1);
  assert.equal(slot[0]?.kind === 'relay' && slot[0].addrs.length, 2);
});

test('of the relays that the peer names, those to which we are connected come first', () => {
  assert.deepEqual(plan({ known: [via(relay1), via(relay2)], isConnected: (relay) => relay.equals(relay2) }), [[label(relay2)], [label(relay1)]]);
});

test('relays that do not answer come last, even if the peer names them', () => {
  const relays = { ...noRelays, relays: () => [{ relay: relay3, addrs: [] }], answers: (id: string) => id !== relay1.toString() };
  assert.deepEqual(plan({ known: [via(relay1), via(relay2)], relays }), [[label(relay2)], [label(relay3)], [label(relay1)]]);
});

test('an address that was given is tried first and once', () => {
  assert.deepEqual(plan({ given: via(relay2), known: [direct(1), via(relay1), via(relay2)] }), [[label(relay2)], [direct(1).toString()], [label(relay1)]]);
  assert.deepEqual(plan({ given: direct(2), known: [direct(1), direct(2)] }), [[direct(2).toString()], [direct(1).toString()]]);
});

test('neither end of a circuit is its relay', () => {
  const ours = { ...noRelays, relays: () => [{ relay: target, addrs: [] }, { relay: self, addrs: [] }, { relay: relay4, addrs: [] }] };
  assert.deepEqual(plan({ known: [via(self), via(target)], given: via(self), relays: ours }), [[label(relay4)]]);
});

test('a circuit inside a circuit is no way to a peer', () => {
  assert.deepEqual(plan({ known: [multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${relay1.toString()}/p2p-circuit/p2p/${relay2.toString()}/p2p-circuit/p2p/${target.toString()}`)] }), []);
});

test('a target is a peer id or an address that ends in one', () => {
  assert.equal(parseTarget(target.toString()).peer.toString(), target.toString());
  assert.equal(parseTarget(direct(1).toString()).addr?.toString(), direct(1).toString());
  assert.equal(parseTarget(`/p2p/${target.toString()}`).addr, undefined);
  assert.equal(parseTarget(via(relay1).toString()).peer.toString(), target.toString());
  for (const bad of ['', 'nobody', '/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/x/p2p/y', `/p2p/${relay1.toString()}/p2p-circuit`, `/p2p-circuit/p2p/${target.toString()}`]) {
    assert.throws(() => parseTarget(bad), (error: RelaydError) => error.code === 'BAD_REQUEST', bad);
  }
});
