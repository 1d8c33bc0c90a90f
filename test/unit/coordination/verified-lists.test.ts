import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { VerifiedLists } from '../../../src/coordination/verified-lists.ts';
import { proofsOf, signedList } from '../../support/coordination/signed.ts';

describe('the newest revocation lists', () => {
  let lists: VerifiedLists;
  beforeEach(() => (lists = new VerifiedLists(proofsOf({ id: 'r', epoch: 1 }, 'own'))));

  const judge = (claimed: Parameters<VerifiedLists['judge']>[0]): [number | undefined, boolean] => {
    const { news, isWrong } = lists.judge(claimed);
    return [news?.sequence, isWrong];
  };

  it('are those with the highest number that is signed', () => {
    assert.deepEqual(judge(signedList(5)), [5, false]);
    assert.deepEqual(judge(signedList(5)), [undefined, false]);
    assert.deepEqual(judge(signedList(4)), [undefined, true], 'who holds that is behind');
    assert.deepEqual(judge(signedList(6)), [6, false]);
    assert.deepEqual(lists.get('aa'), signedList(6));
  });

  it('are not what is claimed, by whatever number', () => {
    const garbage = { authority: 'aa', sequence: Number.MAX_SAFE_INTEGER, list: Buffer.from('garbage') };
    assert.deepEqual(judge(garbage), [undefined, true]);
    assert.deepEqual(judge({ ...signedList(5), sequence: 1_000 }), [5, true], 'it is taken for what it is');
    assert.deepEqual(judge({ ...signedList(5), sequence: 1_000 }), [undefined, true]);
    assert.deepEqual(judge({ ...signedList(9), authority: 'bb' }), [undefined, true], 'signed by another');
    assert.deepEqual(judge(garbage), [undefined, true]);
    assert.deepEqual(judge(signedList(6)), [6, false]);
  });

  it('of this realm have their place, however many authorities there are', () => {
    for (let i = 0; i < 100; i++) lists.judge(signedList(1, `other-${i}`));
    assert.deepEqual([lists.all().length, lists.hasRoom('other-0'), lists.hasRoom('other-99')], [64, true, false]);
    assert.deepEqual(judge(signedList(1, 'own')), [1, false]);
    assert.deepEqual(judge(signedList(2, 'own')), [2, false]);
    assert.deepEqual([lists.all().length, lists.hasRoom('other-99')], [65, false]);
  });
});
