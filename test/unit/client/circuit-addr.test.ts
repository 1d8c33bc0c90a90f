import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCircuit, parseAddr, parseCircuit, peerOf, withPeer } from '../../../src/client/circuit-addr.ts';
import { connectionLimits } from '../../../src/client/limits.ts';
import { announceable, relayAddrs } from '../../../src/client/reservation-addrs.ts';

const relay = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
const target = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
const [R, T] = [relay.toString(), target.toString()];

test('a circuit address is taken apart', () => {
  const circuit = parseCircuit(multiaddr(`/dns4/relay.example/tcp/4001/p2p/${R}/p2p-circuit/p2p/${T}`));
  assert.equal(circuit?.relayAddr.toString(), `/dns4/relay.example/tcp/4001/p2p/${R}`);
  assert.ok(circuit?.relay.equals(relay) && circuit.target.equals(target));
  assert.equal(parseCircuit(multiaddr(`/p2p/${R}/p2p-circuit/p2p/${T}`))?.relayAddr.toString(), `/p2p/${R}`);
});

test('what is not one circuit to one peer is refused', () => {
  const bad = [
    `/ip4/1.2.3.4/tcp/1/p2p/${T}`,
    `/ip4/1.2.3.4/tcp/1/p2p/${R}/p2p-circuit`,
    `/p2p-circuit/p2p/${T}`,
    `/ip4/1.2.3.4/tcp/1/p2p-circuit/p2p/${T}`,
    `/ip4/1.2.3.4/tcp/1/p2p/${R}/p2p-circuit/webrtc/p2p/${T}`,
    `/ip4/1.2.3.4/tcp/1/p2p/${R}/p2p-circuit/p2p/${R}/p2p-circuit/p2p/${T}`,
  ];
  bad.forEach((text) => assert.equal(parseCircuit(multiaddr(text)), undefined, text));
  assert.ok(isCircuit(multiaddr(bad[2] ?? '')));
});

test('addresses get their peer id, and keep no other', () => {
  assert.equal(withPeer(multiaddr('/ip4/1.2.3.4/tcp/1'), relay)?.toString(), `/ip4/1.2.3.4/tcp/1/p2p/${R}`);
  assert.equal(withPeer(multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${R}`), relay)?.toString(), `/ip4/1.2.3.4/tcp/1/p2p/${R}`);
  assert.equal(withPeer(multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${T}`), relay), undefined);
  assert.equal(peerOf(multiaddr('/ip4/1.2.3.4/tcp/1')), undefined);
  assert.equal(parseAddr('/ip4/nonsense'), undefined);
  assert.equal(parseAddr(''), undefined);
  assert.equal(parseAddr(Uint8Array.of(4, 1)), undefined);
});

test('a reservation\'s addresses: bad ones dropped, doubles dropped, a missing peer id added', () => {
  const encoded = [
    multiaddr('/ip4/203.0.113.1/tcp/1').bytes,
    multiaddr(`/ip4/203.0.113.1/tcp/1/p2p/${R}`).bytes,
    multiaddr(`/ip4/203.0.113.2/tcp/1/p2p/${T}`).bytes,
    multiaddr(`/ip4/203.0.113.3/tcp/1/p2p/${R}/p2p-circuit`).bytes,
    multiaddr('/ip4/0.0.0.0/tcp/1').bytes,
    new Uint8Array(),
    Uint8Array.of(255, 255, 255),
  ];
  assert.deepEqual(relayAddrs(encoded, relay).map(String), [`/ip4/203.0.113.1/tcp/1/p2p/${R}`]);
  const many = Array.from({ length: 40 }, (_, i) => multiaddr(`/ip4/198.51.100.${i + 1}/tcp/1`).bytes);
  assert.equal(relayAddrs(many, relay).length, 16);
});

test('private and loopback addresses are announced only where the config says so', () => {
  const addrs = ['/ip4/127.0.0.1/tcp/1', '/ip4/10.1.2.3/tcp/1', '/ip6/::1/tcp/1', '/ip6/::ffff:192.168.1.1/tcp/1', '/ip4/8.8.8.8/tcp/1', '/dns4/relay.example/tcp/1'].map((text) => multiaddr(`${text}/p2p/${R}`));
  assert.deepEqual(announceable(addrs, false), addrs.slice(4));
  assert.deepEqual(announceable(addrs, true), addrs);
  assert.deepEqual(announceable([multiaddr(`/p2p/${R}`)], true), [], 'an id is no place');
});

test('0 or nothing is no limit, and no limit at all is no limits object', () => {
  assert.equal(connectionLimits(undefined), undefined);
  assert.equal(connectionLimits({}), undefined);
  assert.equal(connectionLimits({ durationSeconds: 0, dataBytes: 0 }), undefined);
  assert.deepEqual(connectionLimits({ durationSeconds: 120, dataBytes: 0 }), { seconds: 120 });
  assert.deepEqual({ ...connectionLimits({ durationSeconds: 120, dataBytes: 131072 }) }, { seconds: 120, bytes: 131072n });
});
