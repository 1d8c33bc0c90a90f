import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { History } from '../../../../src/coordination/etcd/history.ts';

describe('whether the store is still the one that it was', () => {
  let times = 0;
  let history: History;

  beforeEach(() => {
    times = 0;
    history = new History(() => times++);
  });

  function answer(revision: number, clusterId = 'one', asked = history.now()): void {
    history.saw({ clusterId, revision }, asked);
  }

  it('is not doubted while its revision grows or stays', () => {
    answer(5);
    answer(5);
    answer(9);
    assert.equal(times, 0);
  });

  it('is not doubted when an answer to an earlier question comes late', () => {
    answer(5);
    const asked = history.now();
    answer(9);
    answer(6, 'one', asked);
    assert.equal(times, 0);
  });

  it('is not when the revision is lower than when it was asked', () => {
    answer(9);
    answer(8);
    assert.equal(times, 1);
    answer(8);
    assert.equal(times, 1, 'said once');
  });

  it('is not when the cluster has another id', () => {
    answer(5);
    answer(6, 'two');
    assert.equal(times, 1);
  });

  it('is said once, though answers of the store before are under way still', () => {
    answer(9);
    const asked = history.now();
    answer(2);
    answer(3, 'one', asked);
    answer(10, 'one', asked);
    assert.equal(times, 1);
    answer(4);
    assert.equal(times, 1);
  });
});
