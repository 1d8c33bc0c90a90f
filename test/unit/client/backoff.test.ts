import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKOFF_CAP_MS, RETRY_AFTER_CAP_MS, backoffCapMs, backoffMs } from '../../../src/client/backoff.ts';
import { retryAfterMs } from '../../../src/client/retry-after.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

test('the window doubles from 250 ms and the wait is spread over all of it', () => {
  assert.equal(backoffMs(1, () => 1), 250);
  assert.equal(backoffMs(2, () => 1), 500);
  assert.equal(backoffMs(4, () => 0.5), 1000);
  assert.equal(backoffMs(4, () => 0), 0);
});

test('the window ends at 30 s, however many failures', () => {
  assert.equal(backoffMs(8, () => 1), BACKOFF_CAP_MS);
  assert.equal(backoffMs(5000, () => 1), BACKOFF_CAP_MS);
});

test('a relay\'s own word is a floor, up to a cap', () => {
  assert.equal(backoffMs(1, () => 0, 20_000), 20_000);
  assert.equal(backoffMs(1, () => 1, 20_000), 20_250);
  assert.equal(backoffMs(1, () => 0, 86_400_000), RETRY_AFTER_CAP_MS);
});

test('the word is read from the refusal of a HOP reply', () => {
  const refusal = { limit: 'reservations.max', retryAfterSeconds: 7, alternatives: [] };
  assert.equal(retryAfterMs(new RelaydError('RESERVATION_REFUSED', 'full', { data: { refusal } })), 7000);
  assert.equal(retryAfterMs(new RelaydError('RESERVATION_REFUSED', 'full', { data: {} })), 0);
  assert.equal(retryAfterMs(new Error('else')), 0);
});

test('a relay that has served and was lost is asked every 10 s at least, for ten minutes', () => {
  const lost = { lostAt: 0 };
  assert.equal(backoffMs(20, () => 1, 0, backoffCapMs(lost, 599_000)), 10_000);
  assert.equal(backoffMs(20, () => 1, 0, backoffCapMs(lost, 600_000)), BACKOFF_CAP_MS);
  assert.equal(backoffMs(20, () => 1, 0, backoffCapMs({ lostAt: -Infinity }, 0)), BACKOFF_CAP_MS);
});
