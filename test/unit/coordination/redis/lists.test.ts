import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Run } from '../../../../src/coordination/redis/line.ts';
import { RevocationLists } from '../../../../src/coordination/redis/lists.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { proofsOf, signedList } from '../../../support/coordination/signed.ts';
import { settled } from '../../../support/waiting.ts';

/** The scripts themselves are tested with a Redis: here it is how many are on their way. */
describe('revocation lists of authorities that somebody has made up', () => {
  let asked: string[];
  let answers: (() => void)[];
  let lists: RevocationLists;
  const run: Run = (_script, authority) => {
    asked.push(String(authority));
    return new Promise((resolve) => answers.push(() => resolve([])));
  };

  beforeEach(() => {
    asked = [];
    answers = [];
    lists = new RevocationLists({ revocations: () => {} }, proofsOf({ id: 'self', epoch: 1 }, 'own'), silentLogger);
  });

  const madeUp = Array.from({ length: 1_000 }, (_, i) => `made up ${i}`);

  it('are fetched a few at a time when notices tell of them, and the own one always', async () => {
    for (const authority of madeUp) void lists.heard(authority, 5, run);
    void lists.heard('own', 5, run);
    await settled();
    assert.deepEqual(asked, [...madeUp.slice(0, 8), 'own']);
  });

  it('are fetched one after the other when a beat tells of them, behind those that are wanted, and by no other beat meanwhile', async () => {
    lists.tell(signedList(1), run).catch(() => {});
    answers.shift()?.();
    asked.length = 0;
    assert.deepEqual(lists.wanted(), ['own', 'aa']);
    const stored = new Map([...madeUp, 'own', 'aa'].map((authority) => [authority, 5]));
    void lists.compare(stored, run);
    void lists.compare(stored, run);
    await settled();
    assert.deepEqual(asked, ['own', 'aa', madeUp[0]]);
    while (asked.length < 20) {
      answers.splice(0).forEach((answer) => answer());
      await settled();
    }
    assert.ok(answers.length <= 1, `${answers.length} on their way at once`);
  });
});
