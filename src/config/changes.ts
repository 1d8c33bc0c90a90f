import { isDeepStrictEqual } from 'node:util';
import { domainPath } from './build.ts';
import type { RelaydConfig } from './domain.ts';
import type { PlacedKey } from './key.ts';
import { KEYS } from './schema.ts';

export interface ChangedKeys {
  /** A reload applies these at once. */
  live: string[];
  restart: string[];
}

/** The keys whose values differ between two configs, in the order of the schema. */
export function changedKeys(a: RelaydConfig, b: RelaydConfig): ChangedKeys {
  const changed = KEYS.filter((placed) => !isDeepStrictEqual(valueOf(a, placed), valueOf(b, placed)));
  const names = (live: boolean): string[] => changed.filter(({ key }) => key.live === live).map(({ name }) => name);
  return { live: names(true), restart: names(false) };
}

/** The config `now` with what of `next` can change while a node runs. */
export function withLive(now: RelaydConfig, next: RelaydConfig): RelaydConfig {
  const live = KEYS.filter((placed) => placed.key.live && !isDeepStrictEqual(valueOf(now, placed), valueOf(next, placed)));
  return live.reduce<RelaydConfig>((config, placed) => replaced(config, domainPath(placed), valueOf(next, placed)), now);
}

/** A copy of `tree` with `value` at `path`; what lies beside the path is shared with it. */
function replaced<T>(tree: T, [name, ...rest]: readonly string[], value: unknown): T {
  if (name === undefined) return value as T;
  const children = tree as Record<string, unknown>;
  return { ...children, [name]: replaced(children[name], rest, value) } as T;
}

function valueOf(config: RelaydConfig, placed: PlacedKey): unknown {
  return domainPath(placed).reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], config);
}
