import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lostReservations, mostHeld, revokedAdmitted, wrongCounters } from '../../faults/support/cluster/checker.ts';
import type { Attempt, Operation } from '../../faults/support/cluster/history.ts';

const attempt = (peer: string, relay: string, endedMs: number, outcome: Attempt['outcome'] = 'admitted'): Operation => ({ kind: 'attempt', peer, relay, beganMs: endedMs - 1, endedMs, outcome, reason: undefined });
const release = (peer: string, relay: string, atMs: number): Operation => ({ kind: 'release', peer, relay, atMs });

describe('the checker of cluster histories', () => {
  it('finds the most reservations that were held at one time, over all relays', () => {
    const history = [attempt('p', 'A', 10), attempt('q', 'B', 20), release('p', 'A', 30), attempt('r', 'C', 30), attempt('s', 'C', 40), attempt('t', 'A', 41, 'refused'), attempt('u', 'A', 42, 'failed')];
    assert.deepEqual(mostHeld(history), { count: 3, atMs: 40 });
  });

  it('counts a renewal once, and a peer that holds at two relays twice', () => {
    assert.equal(mostHeld([attempt('p', 'A', 1), attempt('p', 'A', 2), attempt('p', 'B', 3)]).count, 2);
  });

  it('finds revoked members that were admitted after the bound, and gives those cut off until the cut has healed', () => {
    const revocation: Operation = { kind: 'revocation', peer: 'p', atMs: 100 };
    const at = (relay: string, endedMs: number, outcome?: Attempt['outcome']): string[] => revokedAdmitted([revocation, attempt('p', relay, endedMs, outcome), attempt('q', relay, endedMs)], 50, new Map([['B', 1_000]]));
    assert.deepEqual(at('A', 150), []);
    assert.deepEqual(at('A', 152), ['p, revoked, was admitted at A 51 ms later']);
    assert.deepEqual(at('A', 152, 'refused'), []);
    assert.deepEqual(at('B', 1_050), []);
    assert.equal(at('B', 1_052).length, 1);
  });

  it('finds reservations that are held and not reached', () => {
    const states = [{ relay: 'A', holds: ['p', 'q'], counts: [] }, { relay: 'B', holds: [], counts: [] }];
    const reached = new Map([['A', new Set(['p', 'q'])], ['B', new Set(['p'])]]);
    assert.deepEqual(lostReservations(states, reached), ['q, reserved at A, is not reached through B']);
  });

  it('finds counters that are not the sum of what is held', () => {
    const state = (relay: string, holds: string[], own: number, total: number | null): Parameters<typeof wrongCounters>[0][number] => ({ relay, holds, counts: [{ key: 'k', own, total }] });
    assert.deepEqual(wrongCounters([state('A', ['p'], 1, null), state('B', ['q', 'r'], 2, 3)], 'k'), []);
    assert.deepEqual(wrongCounters([state('A', ['p'], 2, null), state('B', [], 0, 3), { relay: 'C', holds: [], counts: [] }], 'k'), ['A holds 1 and counts 2 of k', 'B believes that 3 of k are held; 1 are']);
  });
});
