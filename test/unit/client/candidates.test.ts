import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { Candidates, groupByPeer } from '../../../src/client/candidates.ts';
import { clientMetrics } from '../../../src/client/metrics.ts';
import { metric } from './support.ts';

const peer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
const addr = (port: number): ReturnType<typeof multiaddr> => multiaddr(`/ip4/127.0.0.1/tcp/${port}`);

test('several addresses of one peer are one candidate, and a manual entry stands above a bootstrap one', async () => {
  const candidates = new Candidates(await peer(), clientMetrics(new Registry()));
  const relay = await peer();
  candidates.add(relay, [addr(1)], 'bootstrap');
  candidates.add(relay, [addr(1), addr(2)], 'manual');
  candidates.add(relay, [addr(3)], 'bootstrap');
  const [only] = [...candidates];
  assert.equal(candidates.size, 1);
  assert.deepEqual(only?.addrs.map(String), [addr(1), addr(2), addr(3)].map(String));
  assert.equal(only?.source, 'manual');
});

test('the node itself is no candidate, and the list has an end', async () => {
  const self = await peer();
  const registry = new Registry();
  const candidates = new Candidates(self, clientMetrics(registry));
  assert.equal(candidates.add(self, [addr(1)], 'manual'), undefined);
  for (let i = 0; i < 70; i++) candidates.add(await peer(), [addr(i)], 'manual');
  assert.equal(candidates.size, 64);
  candidates.clear();
  assert.equal(await metric(registry, 'libp2p_autorelay_candidates_total{type="added"}'), 64);
  assert.equal(await metric(registry, 'libp2p_autorelay_candidates_total{type="removed"}'), 64);
});

test('round-trip times are smoothed, and the row says what is known', async () => {
  const candidates = new Candidates(await peer(), clientMetrics(new Registry()));
  const relay = candidates.add(await peer(), [addr(1)], 'manual');
  assert.ok(relay !== undefined);
  assert.equal(relay.row(0).rttMs, null);
  relay.measured(80);
  relay.measured(160);
  assert.equal(relay.rttMs, 90);
  relay.failed('it is down');
  relay.state = 'backoff';
  relay.retryAt = 1500;
  const row = relay.row(0);
  assert.deepEqual([row.state, row.failures, row.reason, row.retryInSeconds, row.expiresAt], ['backoff', 1, 'it is down', 2, null]);
  relay.served();
  assert.equal(relay.failures, 0);
  assert.ok(relay.availability > 0.75 && relay.availability < 1);
});

test('addresses without a peer and circuits are told apart', async () => {
  const id = (await peer()).toString();
  const { groups, unusable } = groupByPeer([multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${id}`), addr(1), multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${id}/p2p-circuit/p2p/${id}`)]);
  assert.deepEqual([...groups.keys()], [id]);
  assert.equal(unusable.length, 2);
});
