import { anyOf, bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { scalar, textual } from './value-type.ts';
import type { ValueType } from './value-type.ts';

/** Values without a unit: switches, words, names, paths. */

export function flag(): ValueType<boolean> {
  return scalar('true or false', { parse: parseFlag, format: (value) => value, json: { type: 'boolean' } });
}

function parseFlag(input: unknown): Parsed<boolean> {
  return typeof input === 'boolean' ? good(input) : bad(`${shown(input)} is neither true nor false`, 'true or false');
}

/** One of some words. */
export function oneOf<const T extends string | boolean>(values: readonly T[]): ValueType<T> {
  const right = anyOf(values.map(String));
  const parse = (input: unknown): Parsed<T> => (values.includes(input as T) ? good(input as T) : bad(`${shown(input)} is not known here`, right));
  return scalar(right, { parse, format: (value) => value, json: { enum: [...values] } });
}

/** A short name, such as a realm's: what may stand in a protocol, a topic or a file name. */
export function name(): ValueType<string> {
  return matching('name', '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', '1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit');
}

export function protocolName(): ValueType<string> {
  return matching('protocol', '^/[\\x21-\\x7e]{1,139}$', 'a name that begins with /, such as /ipfs/kad/1.0.0');
}

function matching(label: string, pattern: string, form: string): ValueType<string> {
  const expression = new RegExp(pattern);
  const parse = (input: unknown): Parsed<string> => (typeof input === 'string' && expression.test(input) ? good(input) : bad(`${shown(input)} is not a ${label}`, quotes(input) ?? form));
  return textual(label, parse, { pattern });
}

/** YAML reads `name: 2024` as a number. */
function quotes(input: unknown): string | undefined {
  return typeof input === 'number' ? `quotes, as in "${input}"` : undefined;
}

/** Of an HTTP server. */
export function url(): ValueType<string> {
  return textual('URL', parseUrl, { pattern: '^https?://' });
}

/** Text is kept as it is written. Names and passwords have no place in it: it is printed and logged. */
function parseUrl(input: unknown): Parsed<string> {
  const form = 'an http or https URL without a name and password, such as http://127.0.0.1:4318';
  const parsed = typeof input === 'string' && /^https?:\/\//.test(input) ? URL.parse(input) : null;
  return parsed === null || parsed.username !== '' || parsed.password !== '' ? bad(parsed === null ? `${shown(input)} is not a URL` : 'there is a name or password in the URL', form) : good(input as string);
}

/** A file or folder. Relative ones are made absolute after the layers are merged. */
export function path(): ValueType<string> {
  return textual('path', parsePath);
}

function parsePath(input: unknown): Parsed<string> {
  const right = typeof input === 'string' && input !== '' && !input.includes('\0');
  return right ? good(input) : bad(`${shown(input)} is not a path`, quotes(input) ?? 'the path of a file or folder');
}
