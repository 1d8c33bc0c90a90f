import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeList, decodeRecord, decodeUsage, encodeList, encodeRecord, encodeUsage, listsBelow } from '../../../../src/coordination/etcd/values.ts';

const count = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 64 });

describe('values in etcd', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(count, fc.boolean(), bytes, count, count, (number, hasLeft, body, earlierBytes, used) => {
        const record = { epoch: number, hasLeft, record: body };
        assert.deepEqual(plain(decodeRecord(encodeRecord(record))), plain(record));
        const list = { sequence: number, list: body };
        assert.deepEqual(plain(decodeList(encodeList(list))), plain(list));
        const usage = { epoch: number, earlierBytes, bytes: used };
        assert.deepEqual(decodeUsage(encodeUsage(usage)), usage);
      }),
    );
  });

  it('are not read as something else, whatever stands there', () => {
    assert.equal(decodeRecord(encodeList({ sequence: 1, list: Buffer.of(1) })), undefined);
    assert.equal(decodeList(encodeRecord({ epoch: 1, hasLeft: false, record: Buffer.of(1) })), undefined);
    for (const text of ['', ' ', 'alive', '0000000000000001', '0000000000000001 alive', '000000000000001 alive x', '000000000000000g alive x', '{}', 'null', '{"epoch":1,"earlierBytes":-1,"bytes":2}', '{"epoch":1,"earlierBytes":"1","bytes":2}']) {
      assert.equal(decodeRecord(Buffer.from(text)), undefined, text);
      assert.equal(decodeList(Buffer.from(text)), undefined, text);
      assert.equal(decodeUsage(Buffer.from(text)), undefined, text);
    }
    fc.assert(
      fc.property(bytes, (garbage) => {
        assert.equal(decodeRecord(garbage), undefined);
        assert.equal(decodeList(garbage), undefined);
        assert.equal(decodeUsage(garbage), undefined);
      }),
    );
  });

  it('sort as bytes below a mark exactly when the list is older', () => {
    fc.assert(
      fc.property(count, count, bytes, (there, offered, list) => {
        assert.equal(Buffer.compare(encodeList({ sequence: there, list }), listsBelow(offered)) < 0, there < offered);
      }),
    );
  });
});

/** Buffers and plain arrays of bytes are the same here. */
function plain(value: object | undefined): unknown {
  return value === undefined ? undefined : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, one instanceof Uint8Array ? [...one] : one]));
}
