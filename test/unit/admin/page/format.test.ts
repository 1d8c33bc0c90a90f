import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytes, bytesPerSecond, clockOffset, configValue, duration, many, milliseconds, number, percent, text, until } from '../../../../src/admin/page/format.ts';

describe('values on the status page', () => {
  it('read as people write them', () => {
    assert.deepEqual([0, 999, 1023, 1024, 1536, 150 * 1024, 2 ** 30 * 1.25].map(bytes), ['0 B', '999 B', '1023 B', '1 KiB', '1.5 KiB', '150 KiB', '1.3 GiB']);
    assert.equal(bytesPerSecond(3 * 2 ** 20), '3 MiB/s');
    assert.deepEqual([0, 1.24, 9.96, 42.4, 1234, 61_000].map(milliseconds), ['0 ms', '1.2 ms', '10 ms', '42 ms', '1,234 ms', '1 min 1 s']);
    assert.deepEqual([0, 59_900, 3_600_000, 90_061_000].map(duration), ['0 s', '59 s', '1 h', '1 d 1 h']);
    assert.deepEqual([number(12_345), many(1, 'row'), many(2, 'row'), percent(0.256)], ['12,345', '1 row', '2 rows', '26 %']);
    assert.equal(until(new Date(Date.now() - 1000).toISOString()), 'now');
    assert.deepEqual([clockOffset(35_000, 7), clockOffset(-450, 7), clockOffset(-3, 7), clockOffset(null, null)], ['35 s ahead', '450 ms behind', '± 7 ms', '–']);
  });

  it('are a dash when they are not there', () => {
    assert.deepEqual([text(null), text(''), text(undefined), bytes(null), number(undefined), milliseconds(null), duration(Number.NaN), percent(null), until(null)], Array.from({ length: 9 }, () => '–'));
  });

  it('of the configuration stand in one line', () => {
    assert.deepEqual([[], ['a', 'b'], [{ name: 'ssh', allow: ['P'] }], true, null, '2m'].map(configValue), ['[]', 'a, b', 'name: ssh, allow: P', 'true', '–', '2m']);
  });
});
