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

function valueOf(config: RelaydConfig, placed: PlacedKey): unknown {
  return domainPath(placed).reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], config);
}
