import { z } from 'zod';
import type { Bad, Parsed } from './parsed.ts';

/**
 * The kind of value that a key can have: a zod codec. It decodes what a person writes into what the program
 * uses, encodes it back, and carries what the JSON Schema says of the written form.
 */
export interface ValueType<T, S extends Suffix = ''> {
  readonly codec: z.ZodType<T>;
  /** As the reference names it. */
  readonly label: string;
  /** What the name of the key gets in the domain config: durations are milliseconds there. */
  readonly suffix: S;
  readonly isList: boolean;
}

export type Suffix = '' | 'Ms';

export interface Scalar<T> {
  parse: (input: unknown) => Parsed<T>;
  format: (value: T) => unknown;
  /** The JSON Schema of the written form. */
  json: Record<string, unknown>;
}

export function scalar<T>(label: string, { parse, format, json }: Scalar<T>): ValueType<T> {
  const codec = z
    .codec(z.unknown(), z.custom<T>(), {
      decode(input, context) {
        const parsed = parse(input);
        if (parsed.ok) {
          return parsed.value;
        }
        context.issues.push(issueOf(parsed, input));
        return z.NEVER;
      },
      encode: format,
    })
    .meta(json);
  return { codec, label, suffix: '', isList: false };
}

/** issues.ts makes a config error of it. */
function issueOf(wrong: Bad, input: unknown): z.core.$ZodRawIssue {
  return { code: 'custom', message: wrong.problem, params: { expected: wrong.expected }, input };
}

/** Text with a parser of its own. */
export function textual(label: string, parse: (input: unknown) => Parsed<string>, json: Record<string, unknown> = {}): ValueType<string> {
  return scalar(label, { parse, format: (value) => value, json: { type: 'string', ...json } });
}
