import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { statusName } from '../../../src/lib/circuit/protocol.ts';
import { ERROR_CODES } from '../../../src/lib/errors.ts';
import { REFUSALS } from '../../../src/relay/refusal.ts';

/** The cells of a page's table whose first column is code. */
function tableOf(page: string): string[][] {
  const text = readFileSync(new URL(`../../../docs/reference/${page}`, import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));
}

test('docs/reference/errors.md names every error code with its exit code and HTTP status', () => {
  const written = tableOf('errors.md').map(([code, exit, http]) => [code, Number(exit), Number(http)]);
  assert.deepEqual(written, Object.entries(ERROR_CODES).map(([code, { exit, http }]) => [code, exit, http]));
});

test('docs/reference/refusals.md names every refusal with its status', () => {
  const written = tableOf('refusals.md').map(([limit, status]) => [limit, status]);
  const known = Object.entries(REFUSALS).map(([limit, { status }]) => [limit, `${status} ${statusName(status)}`]);
  assert.deepEqual(new Map(written as [string, string][]), new Map(known as [string, string][]));
});
