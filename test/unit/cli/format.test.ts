import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, ago, bytes, count, duration, millis, outOf, plural, text, until } from '../../../src/cli/format.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const STYLE = { wide: false, now: NOW };

test('bytes', () => {
  const cases: [unknown, string][] = [[0, '0 B'], [1023, '1023 B'], [1024, '1 KiB'], [1536, '1.5 KiB'], [131_072, '128 KiB'], [1_288_490_188, '1.2 GiB'], [2 ** 60, '1024 PiB'], [null, '-'], [undefined, '-'], ['7', '-']];
  for (const [value, expected] of cases) assert.equal(bytes(value), expected);
});

test('durations have their two largest units', () => {
  const cases: [unknown, string][] = [
    [0, '0s'], [0.4, '0s'], [850, '850ms'], [1_000, '1s'], [59_999, '59s'], [60_000, '1m'], [310_000, '5m 10s'],
    [3_600_000, '1h'], [3_605_000, '1h'], [7_380_000, '2h 3m'], [183_600_000, '2d 3h'], [36_000_000, '10h'], [Number.NaN, '-'], [null, '-'],
  ];
  for (const [value, expected] of cases) assert.equal(duration(value), expected, String(value));
});

test('times', () => {
  assert.equal(ago('2026-11-21T11:55:00Z', STYLE), '5m ago');
  assert.equal(age('2026-11-21T11:59:59Z', STYLE), '1s');
  assert.equal(until('2026-11-21T12:54:00Z', STYLE), 'in 54m');
  assert.equal(until('2026-11-21T11:00:00Z', STYLE), 'now');
  assert.deepEqual([ago(null, STYLE), age('soon', STYLE), until(undefined, STYLE)], ['-', '-', '-']);
});

test('numbers', () => {
  assert.deepEqual([count(7), count(null)], ['7', '-']);
  assert.deepEqual([outOf(3, 10), outOf(3, null)], ['3 of at most 10', '3 (no limit)']);
  assert.deepEqual([plural(1, 'circuit'), plural(0, 'circuit')], ['1 circuit', '0 circuits']);
  assert.deepEqual([millis(0.423), millis(23.14), millis(312.4), millis(null)], ['0.42 ms', '23.1 ms', '312 ms', '-']);
});

test('peer ids are shortened wherever they stand, unless it is to be wide', () => {
  const ed25519 = '12D3KooWJffAYWBXc5tbzzQZvnZtvEiQUuNgCUhgaFp99qJB52jk';
  const rsa = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N';
  const secp = '16Uiu2HAkwAKm9bCzMr4D8JpRrYVzjpAjMkJHT8GaV9KEDpB5Y2nZ';
  assert.equal(text(`/ip4/192.0.2.1/tcp/1/p2p/${ed25519}/p2p-circuit/p2p/${rsa}`, STYLE), '/ip4/192.0.2.1/tcp/1/p2p/12D3…9qJB52jk/p2p-circuit/p2p/QmYy…7DWjhx5N');
  assert.equal(text(secp, STYLE), '16Ui…DpB5Y2nZ');
  assert.equal(text(ed25519, { wide: true }), ed25519);
  assert.equal(text('', STYLE), '-');
});

test('text of a peer cannot move the cursor or turn the line round', () => {
  assert.equal(text('a\u001b[31mb\nc\u202ed\u009b', { wide: true }), 'a?[31mb?c?d?');
});
