import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denialOf } from '../../../src/client/denial.ts';
import { retryAfterMs } from '../../../src/client/retry-after.ts';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

const refused = (status: number, refusal?: object): RelaydError => new RelaydError('RESERVATION_REFUSED', 'no', { data: { status, refusal } });

test('whoever is refused for what he is knows why, and does not come back soon', () => {
  const told = refused(Status.PERMISSION_DENIED, { limit: 'token expired', alternatives: [], explanation: 'ask\nfor a new one' });
  assert.deepEqual([denialOf(told), retryAfterMs(told)], ['token expired: ask?for a new one', 60_000]);
  const standard = refused(Status.PERMISSION_DENIED);
  assert.deepEqual([denialOf(standard), retryAfterMs(standard)], ['permission denied', 60_000]);
});

test('any other refusal, or failure, is none of that', () => {
  for (const error of [refused(Status.RESOURCE_LIMIT_EXCEEDED, { limit: 'circuits.max', alternatives: [] }), new RelaydError('TIMEOUT', 'no answer'), new Error('no')]) {
    assert.deepEqual([denialOf(error), retryAfterMs(error)], [undefined, 0]);
  }
});
