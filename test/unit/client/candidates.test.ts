import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { Candidates, MAX_CANDIDATES, groupByPeer } from '../../../src/client/candidates.ts';
import { clientMetrics } from '../../../src/client/metrics.ts';
import { candidateRows } from '../../../src/client/rows.ts';
import { candidate, newPeer as peer, state } from './candidate-support.ts';
import { metric } from './support.ts';

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
  for (let i = 0; i < MAX_CANDIDATES + 5; i++) candidates.add(await peer(), [addr(i)], 'manual');
  assert.equal(candidates.size, MAX_CANDIDATES);
  candidates.clear();
  assert.equal(await metric(registry, 'libp2p_autorelay_candidates_total{type="added"}'), MAX_CANDIDATES);
  assert.equal(await metric(registry, 'libp2p_autorelay_candidates_total{type="removed"}'), MAX_CANDIDATES);
});

test('round-trip times are smoothed, and an old one counts less the older it is', async () => {
  const relay = await candidate();
  relay.measured(80, 0);
  relay.measured(160, 5_000);
  assert.equal(relay.rttMs, 90);
  relay.measured(10, 10 * 60_000);
  assert.ok(relay.rttMs < 11);
});

test('the row says what is known', async () => {
  const relay = await candidate({ says: { region: 'eu', load: { reservations: 0.5, circuits: 0.25 } } });
  assert.equal(candidateRows([relay], state(1))[0]?.rttMs, null);
  relay.measured(80, 0);
  relay.failed('it is down', 0);
  relay.state = 'backoff';
  relay.retryAt = 1500;
  const [row] = candidateRows([relay], state(1));
  assert.deepEqual([row?.state, row?.failures, row?.reason, row?.retryInSeconds, row?.expiresAt], ['backoff', 1, 'in back-off after 1 failure: it is down', 2, null]);
  assert.deepEqual([row?.availability, row?.region, row?.load, row?.score, row?.draining], [0.667, 'eu', 0.5, 157.5, false]);
});

test('addresses without a peer and circuits are told apart', async () => {
  const id = (await peer()).toString();
  const { peers, unusable } = groupByPeer([multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${id}`), addr(1), multiaddr(`/ip4/1.2.3.4/tcp/1/p2p/${id}/p2p-circuit/p2p/${id}`)]);
  assert.deepEqual(peers.map((found) => found.peer.toString()), [id]);
  assert.equal(unusable.length, 2);
});
