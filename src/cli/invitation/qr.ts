import makeQrCode from 'qrcode-generator';
import { RelaydError } from '../../lib/errors.ts';

/** Light modules around the code, which a reader needs to find it (ISO/IEC 18004 asks for 4; two do on a screen, which has light enough). */
const QUIET_ZONE = 2;

/** Black on white, whatever the terminal's own colours are: a code in light on dark is one that some readers do not see. */
const BLACK_ON_WHITE = '\u001b[38;5;16;48;5;231m';
const PLAIN = '\u001b[0m';

/** Two rows of modules in one line of text: the upper one, the lower one. */
const HALVES = { 'false false': ' ', 'true false': '▀', 'false true': '▄', 'true true': '█' } as const;

/**
 * `line` as a QR code for a terminal.
 *
 * @throws RelaydError BAD_REQUEST when it is too long for one (2953 bytes)
 */
export function qrText(line: string): string {
  const code = encoded(line);
  const size = code.getModuleCount();
  const inside = (at: number): boolean => at >= 0 && at < size;
  const dark = (row: number, column: number): boolean => inside(row) && inside(column) && code.isDark(row, column);
  const places = Array.from({ length: size + 2 * QUIET_ZONE }, (_, i) => i - QUIET_ZONE);
  const rows = places.filter((_, i) => i % 2 === 0).map((row) => places.map((column) => HALVES[`${dark(row, column)} ${dark(row + 1, column)}`]).join(''));
  return rows.map((row) => `${BLACK_ON_WHITE}${row}${PLAIN}\n`).join('');
}

function encoded(line: string): ReturnType<typeof makeQrCode> {
  // The lowest correction: a screen is not scratched, and fewer modules fit smaller terminals.
  const code = makeQrCode(0, 'L');
  code.addData(line, 'Byte');
  try {
    code.make();
  } catch (cause) {
    throw new RelaydError('BAD_REQUEST', `the line is too long for a QR code: ${line.length} characters; name fewer relays`, { cause });
  }
  return code;
}
