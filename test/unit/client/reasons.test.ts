import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOf } from '../../../src/client/reasons.ts';
import { candidate, state } from './candidate-support.ts';
import type { Traits } from './candidate-support.ts';

const REGIONS = { prefer: ['eu'], avoid: ['mars'] };

async function reason(traits: Traits, others: Traits[] = [], rest: Parameters<typeof state>[1] = {}): Promise<string> {
  const [relay, ...more] = await Promise.all([traits, ...others].map(candidate));
  return reasonOf(relay!, [relay!, ...more], state(2, rest));
}

test('a relay that is held says its place, and what is wrong with it', async () => {
  assert.equal(await reason({ rttMs: 20, held: {} }, [{ rttMs: 5 }]), 'held: second by score');
  assert.equal(await reason({ held: {}, listed: false }), 'no longer listed: held until another is');
  const silent = await candidate({ held: { suspect: true } });
  silent.fault = 'does not answer a probe';
  assert.equal(reasonOf(silent, [silent], state(2)), 'does not answer a probe');
  silent.draining = { since: 0, target: 1, ready: undefined };
  assert.equal(reasonOf(silent, [silent], state(2)), 'draining: held until another is');
});

test('a relay that does not count this node as a member says so', async () => {
  assert.equal(await reason({ held: { reservation: { tokenProblem: 'token expired' } } }), 'held, but served as anyone: token expired');
  assert.equal(await reason({ held: { reservation: { tokenProblem: 'token expired', isMember: true } } }), 'held, and served as a member by its id, not by its token: token expired');
  const closed = await candidate();
  Object.assign(closed, { state: 'backoff', failures: 3, fault: 'relay R answered PERMISSION_DENIED', denial: 'members only: ask its operator' });
  assert.equal(reasonOf(closed, [closed], state(2)), 'refused: members only: ask its operator');
});

test('a relay that is tried, in reserve, or fails says so', async () => {
  assert.equal(await reason({ attemptAt: 0 }), 'a reservation is being asked for');
  assert.equal(await reason({ standby: true }), 'in reserve: connected and probed');
  const failing = await candidate();
  Object.assign(failing, { state: 'backoff', failures: 3, fault: 'cannot connect' });
  assert.equal(reasonOf(failing, [failing], state(2)), 'in back-off after 3 failures: cannot connect');
  failing.draining = { since: 0, target: 1, ready: undefined };
  assert.equal(reasonOf(failing, [failing], state(2)), 'draining');
});

test('a relay that is not chosen says why', async () => {
  const near = { addr: '/ip4/203.0.113.1/tcp/1', held: {}, says: { region: 'eu' } };
  assert.equal(await reason({ rttMs: 1, says: { load: { reservations: 1 } } }), 'full: 128 of 128 reservations');
  assert.equal(await reason({ rttMs: 1, says: { region: 'mars' } }, [], REGIONS), 'region mars avoided');
  assert.equal(await reason({}), 'not measured yet');
  assert.equal(await reason({ rttMs: 1, says: { region: 'us' } }, [], REGIONS), 'region us not preferred');
  assert.match(await reason({ rttMs: 1, addr: '/ip4/203.0.113.9/tcp/1' }, [near]), /^same network as 12D3/);
  assert.match(await reason({ rttMs: 1, says: { region: 'eu' } }, [near], REGIONS), /^same region as 12D3/);
  assert.equal(await reason({ rttMs: 50 }, [{ rttMs: 5 }, { rttMs: 6 }]), 'third by score');
});

test('nothing is needed by a node that is reached directly', async () => {
  const relay = await candidate({ rttMs: 1 });
  assert.equal(reasonOf(relay, [relay], state(0)), 'not needed: others reach this node directly');
});
