import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Candidate } from '../../../src/client/candidate.ts';
import { Need } from '../../../src/client/need.ts';
import { candidate } from './candidate-support.ts';

describe('the need of relays', () => {
  let candidates: Candidate[];
  let settings: { when: 'auto' | 'always'; desired: number };
  let told: boolean[];
  let need: Need;

  beforeEach(() => {
    [candidates, settings, told] = [[], { when: 'auto', desired: 1 }, []];
    const context = { candidates: { [Symbol.iterator]: () => candidates.values() }, settings: () => settings };
    need = new Need({ context, onWanted: (wanted) => told.push(wanted) });
  });

  it('is none while others reach this node directly, unless the configuration says always', () => {
    assert.equal(need.desired, 1);
    need.reachability = 'private';
    assert.equal(need.desired, 1);
    need.reachability = 'public';
    assert.deepEqual([need.desired, need.wantsRelays], [0, false]);
    settings = { when: 'always', desired: 1 };
    assert.deepEqual([need.desired, need.wantsRelays], [1, true]);
  });

  it('goes on until two more can be relied on than are held', async () => {
    candidates = [await candidate({ held: {} }), await candidate(), await candidate({ listed: false }), await candidate(), await candidate()];
    const [, , , failing, draining] = candidates as [Candidate, Candidate, Candidate, Candidate, Candidate];
    failing.failures = 1;
    draining.draining = { since: 0, target: 0, ready: undefined };
    assert.equal(need.wantsRelays, true);
    failing.failures = 0;
    assert.equal(need.wantsRelays, false);
  });

  it('is told when it changes', async () => {
    need.tellWanted();
    need.tellWanted();
    candidates = [await candidate(), await candidate(), await candidate()];
    need.tellWanted();
    need.tellWanted();
    assert.deepEqual(told, [true, false]);
  });
});
