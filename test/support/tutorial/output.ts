/** Colours and cursor movements of a terminal. */
// oxlint-disable-next-line no-control-regex
const ESCAPES = /\u001B\[[0-9;?]*[A-Za-z]|\r/g;

export function plainText(text: string): string {
  return text.replaceAll(ESCAPES, '');
}

/**
 * Which line of `expected` is not in `printed`, behind those before it; `undefined` when all are. `…` stands for anything, and columns may be
 * wider or narrower.
 */
export function missingLine(expected: string, printed: string): string | undefined {
  const lines = plainText(printed).split('\n').map(squeezed);
  let next = 0;
  for (const wanted of expected.split('\n').map(squeezed).filter((line) => line !== '' && line !== '…')) {
    const pattern = patternOf(wanted);
    const found = lines.findIndex((line, index) => index >= next && pattern.test(line));
    if (found < 0) return wanted;
    next = found + 1;
  }
  return undefined;
}

function squeezed(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

function patternOf(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
