/** A notice, as the scripts publish it. */
export type News =
  | { readonly kind: 'record'; readonly relay: string; readonly epoch: number; readonly version: number; readonly record: Buffer }
  | { readonly kind: 'left'; readonly relay: string; readonly epoch: number }
  | { readonly kind: 'list'; readonly authority: string; readonly sequence: number };

const SPACE = 0x20;

/** `undefined` for what is none: a later version of relayd may have more kinds. */
export function readNews(message: Buffer): News | undefined {
  const { words, rest } = split(message, 4);
  const [kind, who = '', first, second] = words;
  const number = wholeNumber(first);
  if (who === '' || number === undefined) {
    return undefined;
  }
  if (kind === 'left') return { kind, relay: who, epoch: number };
  if (kind === 'list') return { kind, authority: who, sequence: number };
  const version = wholeNumber(second);
  return kind === 'record' && version !== undefined && rest !== undefined ? { kind, relay: who, epoch: number, version, record: rest } : undefined;
}

/** The first `count` words, and what stands behind the space after them. */
function split(message: Buffer, count: number): { words: string[]; rest: Buffer | undefined } {
  const words: string[] = [];
  let from = 0;
  while (words.length < count) {
    const space = message.indexOf(SPACE, from);
    if (space === -1) {
      return { words: [...words, message.toString('utf8', from)], rest: undefined };
    }
    words.push(message.toString('utf8', from, space));
    from = space + 1;
  }
  return { words, rest: message.subarray(from) };
}

function wholeNumber(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && /^\d+$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}
