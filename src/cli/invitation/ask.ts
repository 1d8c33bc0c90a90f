import { createInterface } from 'node:readline';
import type { CliContext } from '../context.ts';
import { EXIT_FAILED, EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';

/**
 * Asks on the terminal whether to go on; `yes` answers beforehand.
 *
 * @throws PlainFailure with exit code 64 where nobody can be asked, with 1 when the answer is no
 */
export async function confirm(context: CliContext, yes: boolean): Promise<void> {
  if (yes) {
    return;
  }
  const { stdin, stderr } = context.io;
  if (stdin?.isTTY !== true) {
    throw new PlainFailure(['relayd: nothing was changed: this is no terminal, so nobody can be asked; give --yes to go on without a question'], EXIT_USAGE);
  }
  stderr.write('Go on? [y/N] ');
  if (!/^\s*y(es)?\s*$/i.test(await nextLine(stdin))) {
    throw new PlainFailure(['relayd: nothing was changed'], EXIT_FAILED);
  }
}

/** Empty when the terminal closes instead. */
function nextLine(input: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input });
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
    lines.once('close', () => resolve(''));
  });
}
