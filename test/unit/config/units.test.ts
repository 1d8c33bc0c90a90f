import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatBandwidth, formatDuration, formatQuota, formatRate, formatSize, parseBandwidth, parseDuration, parseQuota, parseRate, parseSize } from '../../../src/config/units.ts';

const LARGEST = 2 ** 40;

describe('durations', () => {
  it('reads every unit', () => {
    const read = ['500ms', '90s', '2m', '1h', '30d', '0s'].map((text) => parseDuration(text));
    assert.deepEqual(read, [500, 90_000, 120_000, 3_600_000, 2_592_000_000, 0].map((value) => ({ ok: true, value })));
  });

  it('writes the largest whole unit', () => {
    assert.deepEqual([500, 90_000, 120_000, 3_600_000, 86_400_000, 1001, 0].map(formatDuration), ['500ms', '90s', '2m', '1h', '1d', '1001ms', '0s']);
  });

  it('gives back what it wrote', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: LARGEST }), (ms) => assert.deepEqual(parseDuration(formatDuration(ms)), { ok: true, value: ms })));
  });

  it('asks for a unit where there is none', () => {
    for (const bare of [120, '120', 1.5]) {
      assert.deepEqual(parseDuration(bare), { ok: false, problem: `${bare} has no unit`, expected: 'add a unit, such as 2m' });
    }
  });

  it('takes one whole number and one unit only', () => {
    for (const wrong of ['2 m', '1h30m', '1.5h', '-1s', '2M', '2min', 'm', '', '٢m', '99999999999999999d', null, true, [], {}]) {
      assert.equal(parseDuration(wrong).ok, false);
    }
  });
});

describe('sizes', () => {
  it('reads every unit', () => {
    const read = ['512B', '64KiB', '1MiB', '1GiB', '1TiB'].map((text) => parseSize(text));
    assert.deepEqual(read, [512, 65_536, 1_048_576, 1_073_741_824, 2 ** 40].map((value) => ({ ok: true, value })));
  });

  it('gives back what it wrote', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: LARGEST }), (bytes) => assert.deepEqual(parseSize(formatSize(bytes)), { ok: true, value: bytes })));
  });

  it('refuses units that could mean two things', () => {
    for (const wrong of ['128KB', '128kb', '128K', '1Gib', '1.5GiB', 'KiB', 131_072]) {
      assert.equal(parseSize(wrong).ok, false, String(wrong));
    }
  });
});

describe('bandwidths', () => {
  it('gives back what it wrote', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: LARGEST }), (rate) => assert.deepEqual(parseBandwidth(formatBandwidth(rate)), { ok: true, value: rate })));
  });

  it('says what is missing of a size', () => {
    assert.deepEqual(parseBandwidth('10MiB'), { ok: false, problem: '"10MiB" is a size, not a bandwidth', expected: '10MiB/s' });
  });

  it('refuses bits and other times', () => {
    for (const wrong of ['10Mbit/s', '10MiB/m', '/s', 10]) {
      assert.equal(parseBandwidth(wrong).ok, false, String(wrong));
    }
  });
});

describe('rates', () => {
  it('reads every unit', () => {
    const read = ['10/s', '30/m', '30/h', '1000/d'].map((text) => parseRate(text));
    assert.deepEqual(
      read,
      [
        { count: 10, perMs: 1000 },
        { count: 30, perMs: 60_000 },
        { count: 30, perMs: 3_600_000 },
        { count: 1000, perMs: 86_400_000 },
      ].map((value) => ({ ok: true, value })),
    );
  });

  it('gives back what it wrote', () => {
    const rates = fc.record({ count: fc.integer({ min: 1, max: LARGEST }), perMs: fc.constantFrom(1000, 60_000, 3_600_000, 86_400_000) }, { noNullPrototype: true });
    fc.assert(fc.property(rates, (rate) => assert.deepEqual(parseRate(formatRate(rate)), { ok: true, value: rate })));
  });

  it('refuses what lets nothing through, and what is no rate', () => {
    for (const wrong of ['0/m', '30', 30, '30/w', '1.5/s', '-1/s', '/m', '30/min']) {
      assert.equal(parseRate(wrong).ok, false, String(wrong));
    }
  });
});

it('no text makes a parser throw', () => {
  const parsers = [parseDuration, parseSize, parseBandwidth, parseRate];
  fc.assert(fc.property(fc.anything(), (input) => parsers.forEach((parse) => assert.equal(typeof parse(input).ok, 'boolean'))));
});

describe('quotas', () => {
  it('are bytes in a day or a month', () => {
    assert.deepEqual(parseQuota('10GiB/d'), { ok: true, value: { bytes: 10 * 2 ** 30, per: 'd' } });
    assert.deepEqual(parseQuota('1TiB/month'), { ok: true, value: { bytes: 2 ** 40, per: 'month' } });
  });

  it('give back what they wrote', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: LARGEST }), fc.constantFrom('d', 'month'), (bytes, per) => assert.deepEqual(parseQuota(formatQuota({ bytes, per })), { ok: true, value: { bytes, per } })));
  });

  it('say what is missing, and are not zero', () => {
    assert.deepEqual(parseQuota('10GiB'), { ok: false, problem: '"10GiB" does not say in which time', expected: '10GiB/d or 10GiB/month' });
    assert.deepEqual(parseQuota('0B/d'), { ok: false, problem: 'a quota of 0 lets nothing through', expected: 'at least 1B/d' });
    for (const wrong of ['10GiB/m', '10GiB/h', '10/d', '/d', '10GB/d', '1.5GiB/d', 10, null, [], '10GiB/d/d']) {
      assert.equal(parseQuota(wrong).ok, false, String(wrong));
    }
  });
});
