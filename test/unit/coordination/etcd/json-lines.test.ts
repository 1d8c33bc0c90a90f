import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JsonLines } from '../../../../src/coordination/etcd/json-lines.ts';

const LIMIT = 1 << 16;

function all(lines: JsonLines, ...chunks: Uint8Array[]): unknown[] {
  return chunks.flatMap((chunk) => [...lines.push(chunk)]);
}

describe('a stream of JSON values, one a line', () => {
  it('gives the same values wherever its chunks end', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), fc.boolean(), (values, cuts, hasBlankLines) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n${hasBlankLines ? '\n \n' : ''}`).join(''));
        const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
        const chunks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
        assert.deepEqual(all(new JsonLines(LIMIT), ...chunks), JSON.parse(JSON.stringify(values)));
      }),
    );
  });

  it('gives them one byte at a time too', () => {
    const values = [{ name: 'é\u2028"\\n' }, [], 'two\nlines', null];
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    assert.deepEqual(all(new JsonLines(LIMIT), ...[...bytes].map((byte) => Uint8Array.of(byte))), values);
  });

  it('keeps a value back until its line has ended', () => {
    const lines = new JsonLines(LIMIT);
    assert.deepEqual(all(lines, Buffer.from('{"a":1}')), []);
    assert.deepEqual(all(lines, Buffer.from('\n')), [{ a: 1 }]);
  });

  it('refuses a line that is too long, in one chunk or in many', () => {
    const lines = new JsonLines(8);
    assert.deepEqual(all(lines, Buffer.from('12345678\n')), [12_345_678]);
    assert.throws(() => all(lines, Buffer.from('123456789\n')), RangeError);
    assert.throws(() => all(new JsonLines(8), ...Array.from({ length: 9 }, () => Buffer.from('1'))), RangeError);
  });

  it('says so when a line is no JSON', () => {
    assert.throws(() => all(new JsonLines(LIMIT), Buffer.from('<html>\n')), SyntaxError);
  });
});
