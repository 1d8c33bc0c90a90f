import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanInWords } from '../../../src/doctor/span.ts';

const HOUR_MS = 3_600_000;

test('a span between two clocks is told in the unit that says it without a fraction, and as the same whatever the round trip took off', () => {
  const told = [0, 2_400, 119_400, 119_600, 30 * 60_000, 2 * HOUR_MS - 400, 47 * HOUR_MS, 48 * HOUR_MS - 1_000, 48 * HOUR_MS + 1_000, 400 * 24 * HOUR_MS].map(spanInWords);
  assert.deepEqual(told, ['0 seconds', '2 seconds', '119 seconds', '2 minutes', '30 minutes', '2 hours', '47 hours', '2 days', '2 days', '400 days']);
});
