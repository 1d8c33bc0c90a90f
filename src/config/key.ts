import type { Suffix, ValueType } from './value-type.ts';

/** One key of the file: everything that is known about it stands here once. */
export interface Key<T, S extends Suffix = Suffix> {
  readonly kind: 'key';
  readonly type: ValueType<T, S>;
  /** As a person writes it; `undefined`: nothing is set. */
  readonly default: unknown;
  /** What the reference says of a default that is not one fixed value. */
  readonly defaultText: string | undefined;
  readonly doc: string;
  /** SIGHUP applies a change; else it needs a restart. */
  readonly live: boolean;
  readonly optional: boolean;
  /** What a relative path is relative to. */
  readonly relativeTo: 'file' | 'dataDir' | undefined;
}

export interface Section<F extends Fields = Fields> {
  readonly kind: 'section';
  readonly doc: string;
  readonly fields: F;
}

export type Fields = { readonly [name: string]: Key<unknown> | Section };

interface KeyOptions {
  doc: string;
  default?: unknown;
  defaultText?: string;
  live?: boolean;
  relativeTo?: 'file' | 'dataDir';
}

export function key<T, S extends Suffix>(type: ValueType<T, S>, options: KeyOptions): Key<T, S> {
  return makeKey(type, options, false);
}

/** A key that may be left empty. */
export function optional<T, S extends Suffix>(type: ValueType<T, S>, options: Omit<KeyOptions, 'default'>): Key<T | undefined, S> {
  return makeKey(type as ValueType<T | undefined, S>, options, true);
}

function makeKey<T, S extends Suffix>(type: ValueType<T, S>, options: KeyOptions, isOptional: boolean): Key<T, S> {
  return {
    kind: 'key',
    type,
    default: options.default,
    defaultText: options.defaultText,
    doc: options.doc,
    live: options.live ?? false,
    optional: isOptional,
    relativeTo: options.relativeTo,
  };
}

export function section<F extends Fields>(doc: string, fields: F): Section<F> {
  return { kind: 'section', doc, fields };
}

/** A key with its place: `name` is the path with dots, as errors and the reference write it. */
export interface PlacedKey {
  readonly name: string;
  readonly path: readonly string[];
  readonly key: Key<unknown>;
}

/** Every key under `node`, in the order of the schema. */
export function keysOf(node: Section, above: readonly string[] = []): PlacedKey[] {
  return Object.entries(node.fields).flatMap(([name, child]) => {
    const path = [...above, name];
    return child.kind === 'section' ? keysOf(child, path) : [{ name: path.join('.'), path, key: child }];
  });
}

/** The key or section at `path`, when there is one. */
export function nodeAt(root: Section, path: readonly string[]): Key<unknown> | Section | undefined {
  let node: Key<unknown> | Section | undefined = root;
  for (const part of path) {
    node = node?.kind === 'section' && Object.hasOwn(node.fields, part) ? node.fields[part] : undefined;
  }
  return node;
}

/** The shape of the domain config that a section describes. */
export type DomainOf<N> = N extends Key<infer T> ? T : N extends Section<infer F> ? { readonly [K in keyof F as F[K] extends Key<unknown, infer S> ? `${K & string}${S}` : K]: DomainOf<F[K]> } : never;
