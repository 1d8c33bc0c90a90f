import { resolve } from 'node:path';
import type { RelaydConfig } from './domain.ts';
import type { DomainOf, PlacedKey } from './key.ts';
import type { EffectiveConfig } from './merge.ts';
import type { SCHEMA } from './schema.ts';

/** The domain config of effective values: the same tree, durations under names that end in `Ms`, paths absolute, frozen all through. */
export function buildConfig(effective: EffectiveConfig): RelaydConfig {
  const tree: Tree = {};
  for (const { placed, value } of effective.values()) {
    place(tree, domainPath(placed), value);
  }
  // Typed by the schema: a key whose type does not fit RelaydConfig does not compile.
  const config = tree as unknown as Mutable<DomainOf<typeof SCHEMA>>;
  config.identity.keyFile = resolve(config.dataDir, config.identity.keyFile);
  config.realm.revocationFile = resolve(config.dataDir, config.realm.revocationFile);
  return deepFreeze(config);
}

/** Keys and sections by name. */
export interface Tree {
  [name: string]: unknown;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Mutable<T[K]> : T[K] };

/** Where a key's value stands in the domain config. */
export function domainPath({ path, key }: PlacedKey): readonly string[] {
  return [...path.slice(0, -1), `${path.at(-1)}${key.type.suffix}`];
}

/** Sets the value at `path`, with the sections that lead there. */
export function place(tree: Tree, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  tree[name] ??= {};
  place(tree[name] as Tree, rest, value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
