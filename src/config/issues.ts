import type { z } from 'zod';
import { anyOf, shown } from './parsed.ts';
import { nearest } from './suggest.ts';

/** What zod found, in the words of a config error. */
export interface ValueProblem {
  /** Inside the value: list positions and field names. */
  readonly path: readonly (string | number)[];
  /** The problem is about a key that should not be there, not about a value. */
  readonly atKey: boolean;
  readonly problem: string;
  readonly expected: string;
}

export function valueProblems(issues: readonly z.core.$ZodIssue[], value: unknown): ValueProblem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => unknownField(path, key, issue.message)) : [{ path, atKey: false, ...words(issue, valueAt(value, path)) }];
  });
}

/** The message of this issue is the list of the map's fields: see `record` in list-types.ts. */
function unknownField(path: (string | number)[], key: string, fields: string): ValueProblem {
  const known = fields.split(' ');
  const meant = nearest(key, known);
  return { path: [...path, key], atKey: true, problem: 'unknown key', expected: meant === undefined ? `one of ${anyOf(known)}` : `did you mean ${meant}?` };
}

function words(issue: z.core.$ZodIssue, value: unknown): { problem: string; expected: string } {
  if (issue.code === 'custom' && typeof issue.params?.expected === 'string') {
    return value === undefined ? { problem: 'is missing', expected: issue.params.expected } : { problem: issue.message, expected: issue.params.expected };
  }
  if (issue.code === 'invalid_type') {
    return { problem: `${shown(value)} is not ${issue.expected === 'array' ? 'a list' : 'a map'}`, expected: issue.expected === 'array' ? 'a list, such as [a, b], or one item a line after "- "' : 'a map, such as {name: ssh}' };
  }
  return issue.code === 'too_small' ? { problem: 'an empty list', expected: 'at least one' } : { problem: issue.message, expected: 'a value that docs/reference/configuration.md allows' };
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, part) => (Object.hasOwn(Object(inner) as object, part) ? (inner as Record<string | number, unknown>)[part] : undefined), value);
}
