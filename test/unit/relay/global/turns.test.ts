import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../../../src/relay/global/turns.ts';
import { Refused } from '../../../../src/relay/refusal.ts';
import { settled } from '../../../support/waiting.ts';

describe('turns', () => {
  it('of one peer come one after the other, in order, whatever becomes of each', async () => {
    const turns = new Turns();
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const begun: number[] = [];
    const done = gates.map(({ promise }, i) =>
      turns.take('a', async () => {
        begun.push(i);
        await promise;
        return i;
      }),
    );
    assert.deepEqual(begun, [0], 'the first does not wait');
    gates[2]?.resolve();
    gates[0]?.reject(new Error('it failed'));
    await assert.rejects(done[0] ?? assert.fail(), /it failed/);
    await settled(1);
    assert.deepEqual(begun, [0, 1]);
    gates[1]?.resolve();
    assert.deepEqual(await Promise.all(done.slice(1)), [1, 2]);
    assert.equal(await turns.take('a', () => Promise.resolve('again')), 'again');
  });

  it('of different peers do not wait for each other', async () => {
    const turns = new Turns();
    const gate = Promise.withResolvers<void>();
    const slow = turns.take('a', () => gate.promise);
    assert.equal(await turns.take('b', () => Promise.resolve('quick')), 'quick');
    gate.resolve();
    await slow;
  });

  it('are refused to a peer that has four waiting', async () => {
    const turns = new Turns();
    const gate = Promise.withResolvers<void>();
    const all = Array.from({ length: 5 }, () => turns.take('a', () => gate.promise));
    await assert.rejects(turns.take('a', () => Promise.resolve()), (error) => error instanceof Refused && error.limit === 'rates.reservePerPeer' && error.details.retryAfterMs === 1_000);
    gate.resolve();
    await Promise.all(all);
    await turns.take('a', () => Promise.resolve());
  });
});
