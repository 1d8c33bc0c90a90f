import { MAX_LINE_BYTES } from '../../realm/invitation-line.ts';
import type { CliContext } from '../context.ts';
import { EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';

/** In base64, with as much white space again. */
const MAX_INPUT_CHARS = 4 * MAX_LINE_BYTES;

/**
 * The line that the arguments hold, in one piece or, where white space got into it, in several; or what comes on standard input for `-`.
 *
 * @throws PlainFailure with exit code 64 when there is no standard input to read
 */
export async function givenLine({ io: { stdin } }: CliContext, words: readonly string[]): Promise<string> {
  if (words.length !== 1 || words[0] !== '-') {
    return words.join('');
  }
  if (stdin === undefined) {
    throw new PlainFailure(['relayd: there is no standard input to read the line from'], EXIT_USAGE);
  }
  let text = '';
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    text += chunk.toString();
    // More is no line, whatever comes.
    if (text.length > MAX_INPUT_CHARS) break;
  }
  return text;
}
