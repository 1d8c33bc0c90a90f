import { z } from 'zod';
import { valueProblems } from './issues.ts';
import type { Key, PlacedKey, Section } from './key.ts';
import { nodeAt } from './key.ts';
import { anyOf, shown } from './parsed.ts';
import { formatPath } from './problem.ts';
import type { ConfigProblem, Place } from './problem.ts';
import { keyNamed, SCHEMA } from './schema.ts';
import { expectedInstead, perRelayKey } from './suggest.ts';

/** Strong to weak: what a stronger layer sets, a weaker one does not. */
export const LAYERS = ['flags', 'environment', 'file', 'profile', 'default'] as const;
export type LayerKind = (typeof LAYERS)[number];

export type Path = readonly (string | number)[];

/** Where values come from: one file, one variable, one flag, one profile. */
export interface Source {
  readonly kind: LayerKind;
  /** As an error names it. */
  place(path: Path, part: 'key' | 'value'): Place;
  /** As `config print --origin` names it. */
  origin(path: Path): string;
  /** The folder to which relative paths in it are relative. */
  readonly folder: string;
}

/** One key that a source sets; its value is decoded. */
export interface Setting {
  readonly placed: PlacedKey;
  readonly value: unknown;
  readonly source: Source;
  readonly origin: string;
}

/** What one source says: keys that are set, and all that is wrong. */
export interface Reading {
  readonly settings: Setting[];
  readonly problems: ConfigProblem[];
  /** Names of keys that it sets to something wrong: no rule can be checked with them. */
  readonly invalid: string[];
}

export function emptyReading(problems: ConfigProblem[] = []): Reading {
  return { settings: [], problems, invalid: [] };
}

export function joinReadings(readings: readonly Reading[]): Reading {
  return {
    settings: readings.flatMap((reading) => reading.settings),
    problems: readings.flatMap((reading) => reading.problems),
    invalid: readings.flatMap((reading) => reading.invalid),
  };
}

/** Reads a tree of written values that stands at `path` of the schema (the root, unless a flag or a variable names a deeper place). */
export function readTree(tree: unknown, source: Source, path: readonly string[] = []): Reading {
  const node = nodeAt(SCHEMA, path);
  if (node === undefined) {
    return emptyReading([unknownKey(path, source)]);
  }
  return node.kind === 'section' ? readSection(tree, node, source, path) : readKey(tree, node, source, path);
}

function readSection(tree: unknown, node: Section, source: Source, path: readonly string[]): Reading {
  if (tree === null || tree === undefined) {
    return emptyReading();
  }
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    return emptyReading([problemAt(source, path, 'value', `${shown(tree)} is not a map of keys`, `a map of ${anyOf(Object.keys(node.fields))}`)]);
  }
  return joinReadings(Object.entries(tree).map(([name, value]) => readTree(value, source, [...path, name])));
}

function readKey(written: unknown, key: Key<unknown>, source: Source, path: readonly string[]): Reading {
  const placed = keyNamed(path.join('.'));
  if (written === undefined) {
    return emptyReading();
  }
  const decoded = decode(key, written);
  if (decoded.ok) {
    return { settings: [{ placed, value: decoded.value, source, origin: source.origin(path) }], problems: [], invalid: [] };
  }
  const problems = decoded.problems.map((wrong) => problemAt(source, [...path, ...wrong.path], wrong.atKey ? 'key' : 'value', wrong.problem, wrong.expected));
  return { settings: [], problems, invalid: [placed.name] };
}

type Decoded = { ok: true; value: unknown } | { ok: false; problems: ReturnType<typeof valueProblems> };

/** An empty value is "none" for a key that may be unset, and no entries for a list whose entries are all commented out. */
export function decode(key: Key<unknown>, written: unknown): Decoded {
  if (written === null && key.optional) {
    return { ok: true, value: undefined };
  }
  const value = written === null && key.type.isList ? [] : written;
  const result = z.safeDecode(key.type.codec, value);
  return result.success ? { ok: true, value: result.data } : { ok: false, problems: valueProblems(result.error.issues, value) };
}

function unknownKey(path: readonly string[], source: Source): ConfigProblem {
  const local = perRelayKey(path);
  return local === undefined ? problemAt(source, path, 'key', 'unknown key', expectedInstead(path)) : problemAt(source, path, 'key', 'is not counted over a cluster', `each relay has its own ${local}`);
}

export function problemAt(source: Source, path: Path, part: 'key' | 'value', problem: string, expected: string): ConfigProblem {
  return { ...source.place(path, part), key: formatPath(path), problem, expected };
}
