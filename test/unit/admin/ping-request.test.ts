import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePing } from '../../../src/admin/ping-request.ts';

test('count and fresh have defaults', () => {
  assert.deepEqual(parsePing({ peer: 'P' }), { peer: 'P', count: 1, fresh: false });
  assert.deepEqual(parsePing({ peer: 'P', count: 100, fresh: true }), { peer: 'P', count: 100, fresh: true });
});

test('whatever is wrong is named', () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /^body:/],
    [null, /^body:/],
    [[], /^body:/],
    ['P', /^body:/],
    [{}, /^peer:/],
    [{ peer: 7 }, /^peer:/],
    [{ peer: '' }, /^peer:/],
    [{ peer: 'x'.repeat(1025) }, /^peer:/],
    [{ peer: 'P', count: 0 }, /^count:/],
    [{ peer: 'P', count: 101 }, /^count:/],
    [{ peer: 'P', count: 1.5 }, /^count:/],
    [{ peer: 'P', count: '3' }, /^count:/],
    [{ peer: 'P', fresh: 'yes' }, /^fresh:/],
    [{ peer: 'P', cuont: 3 }, /^cuont: is not known/],
  ];
  for (const [body, message] of cases) {
    assert.throws(() => parsePing(body), { code: 'BAD_REQUEST', message });
  }
});
