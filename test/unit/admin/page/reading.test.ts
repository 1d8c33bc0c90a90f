import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EventReader } from '../../../../src/admin/page/reading.ts';

describe('the reader of server-sent events', () => {
  it('finds the same events however the text is cut', () => {
    const events = [{ event: 'tick', data: '{"a":1}' }, { event: 'message', data: 'two\nlines' }, { event: 'message', data: '' }];
    const text = 'event: tick\ndata: {"a":1}\n\ndata: two\ndata: lines\n\n: only a comment\n\ndata: not over';
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const reader = new EventReader();
        assert.deepEqual(at.slice(1).flatMap((end, i) => reader.read(text.slice(at[i], end))), events);
      }),
    );
  });
});
