import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Candidate } from '../../../src/client/candidate.ts';
import type { CandidateSource } from '../../../src/client/candidate.ts';
import type { HeldRelay } from '../../../src/client/held-relay.ts';
import { HEDGE_MS, chooseAttempts, chooseReleases, rank } from '../../../src/client/selection.ts';

interface Traits {
  source?: CandidateSource;
  rttMs?: number;
  availability?: number;
  addr?: string;
  held?: { missed?: boolean };
  attemptAt?: number;
  retryAt?: number;
  listed?: boolean;
}

let networks = 0;

async function candidate(traits: Traits = {}): Promise<Candidate> {
  const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  networks += 1;
  const made = new Candidate(peer, [multiaddr(traits.addr ?? `/ip4/198.51.${networks}.1/tcp/4001`)], traits.source ?? 'manual');
  Object.assign(made, { rttMs: traits.rttMs, attemptAt: traits.attemptAt, retryAt: traits.retryAt ?? 0, listed: traits.listed ?? true });
  made.availability = traits.availability ?? 1;
  made.held = traits.held === undefined ? undefined : ({ missed: traits.held.missed ?? false } as HeldRelay);
  return made;
}

const state = (desired: number, nowMs = 0, random = () => 0) => ({ desired, nowMs, random });

test('the nearest relays are chosen, as many as are missing', async () => {
  const [far, near, nearer] = [await candidate({ rttMs: 80 }), await candidate({ rttMs: 20 }), await candidate({ rttMs: 10 })];
  assert.deepEqual(chooseAttempts([far, near, nearer], state(2)), [nearer, near]);
});

test('manual relays come before others, however far', async () => {
  const [other, manual] = [await candidate({ source: 'bootstrap', rttMs: 1 }), await candidate({ rttMs: 300 })];
  assert.deepEqual(chooseAttempts([other, manual], state(1)), [manual]);
});

test('a manual relay is tried though others are held, and takes the place of one', async () => {
  const other = await candidate({ source: 'bootstrap', rttMs: 1, held: {} });
  const manual = await candidate({ rttMs: 300 });
  assert.deepEqual(chooseAttempts([other, manual], state(1)), [manual]);
  const taken = await candidate({ rttMs: 300, held: {} });
  assert.deepEqual(chooseReleases([other, taken], state(1)), [other]);
});

test('availability counts against nearness', async () => {
  const [flaky, steady] = [await candidate({ rttMs: 20, availability: 0.2 }), await candidate({ rttMs: 50 })];
  assert.deepEqual(rank([flaky, steady], new Set(), () => 0), [steady, flaky]);
});

test('fuzz spreads clients over relays of like distance, and not over unlike ones', async () => {
  const [a, b, far] = [await candidate({ rttMs: 20 }), await candidate({ rttMs: 21 }), await candidate({ rttMs: 200 })];
  const draws = [1, 0, 0];
  assert.deepEqual(rank([a, b, far], new Set(), () => draws.shift() ?? 0), [b, a, far]);
});

test('of two relays as near, the one in another network than the held one is chosen', async () => {
  const held = await candidate({ addr: '/ip4/203.0.113.1/tcp/1', held: {} });
  const beside = await candidate({ addr: '/ip4/203.0.113.2/tcp/1', rttMs: 20 });
  const elsewhere = await candidate({ addr: '/ip4/192.0.2.1/tcp/1', rttMs: 30 });
  assert.deepEqual(chooseAttempts([held, beside, elsewhere], state(2)), [elsewhere]);
});

test('a relay that backs off, is being tried, is held, or is not listed any more is not tried', async () => {
  const all = [await candidate({ retryAt: 10 }), await candidate({ attemptAt: 0 }), await candidate({ held: {} }), await candidate({ listed: false })];
  assert.deepEqual(chooseAttempts(all, state(4)), []);
  assert.deepEqual(chooseAttempts(all.slice(0, 1), state(4, 10)), all.slice(0, 1));
});

test('an attempt that takes long is hedged with another', async () => {
  const [slow, next] = [await candidate({ attemptAt: 0 }), await candidate()];
  assert.deepEqual(chooseAttempts([slow, next], state(1, HEDGE_MS - 1)), []);
  assert.deepEqual(chooseAttempts([slow, next], state(1, HEDGE_MS)), [next]);
});

test('a relay that missed a probe is replaced, and not let go', async () => {
  const [silent, next] = [await candidate({ held: { missed: true } }), await candidate()];
  assert.deepEqual(chooseAttempts([silent, next], state(1)), [next]);
  assert.deepEqual(chooseReleases([silent], state(1)), []);
});

test('fewer relays than desired: all are used', async () => {
  const only = await candidate();
  assert.deepEqual(chooseAttempts([only], state(5)), [only]);
  assert.deepEqual(chooseAttempts([only], state(0)), []);
});

test('a relay that is no longer listed is kept until the others are held', async () => {
  const old = await candidate({ listed: false, held: {} });
  const fresh = await candidate();
  assert.deepEqual(chooseReleases([old, fresh], state(1)), []);
  const taken = await candidate({ held: {} });
  assert.deepEqual(chooseReleases([old, taken], state(2)), [old], 'one listed, and it is held: there is no more to wait for');
  assert.deepEqual(chooseReleases([old], state(2)), [old], 'none listed');
});

test('what is held beyond need is let go, the worst first', async () => {
  const [far, near] = [await candidate({ rttMs: 90, held: {} }), await candidate({ rttMs: 10, held: {} })];
  assert.deepEqual(chooseReleases([far, near], state(1)), [far]);
  assert.deepEqual(new Set(chooseReleases([far, near], state(0))), new Set([far, near]));
});
