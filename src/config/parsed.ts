/** The outcome of reading one written value: what it means, or what is wrong and what would be right. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Bad;

export interface Bad {
  readonly ok: false;
  readonly problem: string;
  readonly expected: string;
}

export function good<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function bad(problem: string, expected: string): Bad {
  return { ok: false, problem, expected };
}

/** The longest piece of a written value that an error repeats. */
const MAX_SHOWN = 80;

/** A written value as an error names it. Lists and maps are not repeated: they may be long, or refer to themselves. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  }
  if (value === null || value === undefined) {
    return 'an empty value';
  }
  if (Array.isArray(value)) {
    return 'a list';
  }
  if (typeof value === 'object') {
    return 'a map';
  }
  return typeof value === 'function' ? 'a function' : (value as number | boolean | bigint | symbol).toString();
}

/** `a, b or c`. */
export function anyOf(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`;
}
