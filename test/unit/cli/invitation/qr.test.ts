import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { qrText } from '../../../../src/cli/invitation/qr.ts';

/** The pattern in three corners of every QR code (ISO/IEC 18004, "Finder pattern"): without it no reader sees the code. */
const FINDER = ['#######', '#     #', '# ### #', '# ### #', '# ### #', '#     #', '#######'];
const QUIET = 2;
const BLACK_ON_WHITE = '\u001b[38;5;16;48;5;231m';
const PLAIN = '\u001b[0m';

/** Module by module, `#` for a dark one. */
function modules(text: string): string[] {
  const rows = text.trimEnd().split('\n').map((row) => {
    assert.ok(row.startsWith(BLACK_ON_WHITE) && row.endsWith(PLAIN), `not black on white: ${JSON.stringify(row)}`);
    return row.slice(BLACK_ON_WHITE.length, -PLAIN.length);
  });
  return rows.flatMap((row) => [row.replaceAll(/[▀█]/g, '#').replaceAll('▄', ' '), row.replaceAll(/[▄█]/g, '#').replaceAll('▀', ' ')]);
}

describe('a QR code', () => {
  it('is square, has white around it and its three corners, and grows with the line', () => {
    let smaller = 0;
    for (const chars of [10, 350, 2000]) {
      const all = modules(qrText('a'.repeat(chars)));
      const size = (all[0]?.length ?? 0) - 2 * QUIET;
      const rows = all.slice(QUIET, QUIET + size).map((row) => row.slice(QUIET, QUIET + size));
      // Two rows of modules a line of text, and one of none where their number is odd.
      assert.deepEqual([size % 4, all.length], [1, size + 2 * QUIET + 1]);
      assert.ok(size > smaller);
      smaller = size;
      assert.ok([...all.slice(0, QUIET), ...all.slice(QUIET + size)].every((row) => row.trim() === ''), 'white above and below');
      for (const [y, x] of [[0, 0], [0, size - 7], [size - 7, 0]] as const) {
        assert.deepEqual(rows.slice(y, y + 7).map((row) => row.slice(x, x + 7)), FINDER, `corner ${y} ${x} of ${chars}`);
      }
    }
  });

  it('is not made of more than it can hold', () => {
    assert.throws(() => qrText('a'.repeat(3000)), { code: 'BAD_REQUEST', message: /too long for a QR code: 3000 characters/ });
  });
});
