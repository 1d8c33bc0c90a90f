import { z } from 'zod';
import type { Suffix, ValueType } from './value-type.ts';

/** Several values: lists, and the maps in them. */

export function list<T>(item: ValueType<T, Suffix>, options: { nonEmpty?: boolean; unique?: boolean } = {}): ValueType<T[]> {
  const items = z.array(item.codec);
  const long = options.nonEmpty === true ? items.min(1) : items;
  const codec = options.unique === true ? long.refine((values) => new Set(values).size === values.length, { message: 'the same value stands in it twice', params: { expected: 'each once' } }) : long;
  return { codec, label: `list of: ${item.label}`, suffix: '', isList: true };
}

/** A map with fixed fields, inside a list. A field with a fallback may be left out. */
export function record<F extends Record<string, ValueType<unknown, Suffix>>>(
  fields: F,
  fallbacks: Partial<Record<keyof F, unknown>> = {},
): ValueType<{ [K in keyof F]: F[K] extends ValueType<infer T, Suffix> ? T : never }> {
  const shape = Object.entries(fields).map(([key, type]) => [key, Object.hasOwn(fallbacks, key) ? type.codec.default(fallbacks[key] as never) : type.codec]);
  const label = `{${Object.entries(fields).map(([key, type]) => `${key}: ${type.label}`).join(', ')}}`;
  // An unknown field is reported with the names of those that there are: issues.ts makes the sentence.
  const error = (issue: { code?: string }): string | undefined => (issue.code === 'unrecognized_keys' ? Object.keys(fields).join(' ') : undefined);
  // The shape is built from `fields`, so its output is what the signature says; zod cannot follow `Object.entries`.
  return { codec: z.strictObject(Object.fromEntries(shape), { error }) as never, label, suffix: '', isList: false };
}
