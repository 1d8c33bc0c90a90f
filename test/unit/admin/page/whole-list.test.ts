import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageOf } from '../../../../src/admin/page/whole-list.ts';

const ROWS = [{ name: 'b', size: 9 }, { name: 'a', size: 10 }, { name: 'C', size: 1 }];
const FIELDS = { name: ({ name }: (typeof ROWS)[number]) => name, size: ({ size }: (typeof ROWS)[number]) => size };

function page(query: string): { rows: string[]; total: number; matched: number } {
  const found = pageOf(ROWS, new URLSearchParams(`limit=50&offset=0&${query}`), FIELDS, ({ name }) => name);
  return { ...found, rows: found.rows.map(({ name }) => name) };
}

test('a short list is sorted by texts and by numbers, up and down', () => {
  assert.deepEqual(page('').rows, ['b', 'a', 'C']);
  assert.deepEqual(page('sort=name').rows, ['a', 'b', 'C']);
  assert.deepEqual(page('sort=-size').rows, ['a', 'b', 'C']);
  assert.deepEqual(page('sort=size').rows, ['C', 'b', 'a']);
});

test('a short list is filtered and cut into pages', () => {
  assert.deepEqual(page('filter=C'), { rows: ['C'], total: 3, matched: 1 });
  assert.deepEqual(page('filter=a+b'), { rows: [], total: 3, matched: 0 });
  assert.deepEqual(pageOf(ROWS, new URLSearchParams('limit=1&offset=1'), FIELDS, ({ name }) => name).rows, [ROWS[1]]);
});
