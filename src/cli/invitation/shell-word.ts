/** What a shell takes for one word without quotes. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A path in a command that a person is to copy. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
