import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ROWS } from './rows/index.ts';
import { runRow } from './support/row.ts';

/**
 * Each row of the fault suite once or a few times, with few clients: that nothing fails, and that no figure is far from its bound. The figures
 * themselves come from `scripts/faults`, on a machine that does nothing else.
 */

/** A machine that runs tests is slow and shared, and few values make a wide p99. */
const SLACK = 10;
const PATIENCE_MS = 20_000;

describe('the fault suite, in short', () => {
  for (const row of ROWS) {
    const amount = { ...row.short, minutes: 1, short: true };
    const skip = row.skip?.() ?? false;
    it(`${row.name}: ${row.title}`, { skip, timeout: row.deadlineMs(amount) + PATIENCE_MS }, async (t) => {
      const { figures, notes, error } = await runRow(row, amount);
      notes.forEach((note) => t.diagnostic(note));
      assert.equal(error, undefined);
      for (const figure of figures) {
        assert.deepEqual(figure.missed(SLACK), [], `${row.name}: ${figure.title}`);
      }
    });
  }
});
