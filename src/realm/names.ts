import { malformed } from '../lib/protobuf.ts';

/** A realm's or a tunnel's name, as the configuration takes them. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const NAME_FORM = '1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit';

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** @throws RelaydError MALFORMED_MESSAGE when it is no name */
export function checkedName(text: string): string {
  if (!isName(text)) throw malformed('a name has characters or a length that names have not');
  return text;
}
