import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Health } from '../../../../src/coordination/etcd/health.ts';
import { settled } from '../../../support/waiting.ts';

describe('the health of etcd', () => {
  let told: (string | undefined)[] = [];
  let seen: string | undefined;
  let health: Health;

  beforeEach(() => {
    told = [];
    seen = undefined;
    health = new Health(() => Promise.resolve(seen), (problem) => void told.push(problem));
  });

  it('is told when it changes, and only then', () => {
    health.works();
    health.fails('no answer');
    health.fails('no answer');
    health.works();
    assert.deepEqual(told, ['no answer', undefined]);
  });

  it('is what the members say, when they say more than a question that failed', async () => {
    seen = 'no leader';
    health.fails('no answer');
    await settled(1);
    health.fails('no answer, differently');
    await settled(1);
    assert.deepEqual(told, ['no answer', 'no leader']);
  });

  it('changes with the reason when the members see nothing', async () => {
    health.fails('refused');
    await settled(1);
    health.fails('no answer');
    await settled(1);
    assert.deepEqual(told, ['refused', 'no answer']);
  });

  it('is good again though a look at the members ends later', async () => {
    seen = 'no leader';
    health.fails('no answer');
    health.works();
    await settled(1);
    assert.equal(health.problem, undefined);
  });

  it('is bad while changes cannot be followed, though questions are answered', () => {
    health.watchFails('no changes');
    health.works();
    assert.equal(health.problem, 'no changes');
    health.watchWorks();
    assert.deepEqual(told, ['no changes', undefined]);
  });
});
