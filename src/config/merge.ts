import { resolve } from 'node:path';
import { home } from './data-dir.ts';
import type { PlacedKey } from './key.ts';
import { decode } from './layer.ts';
import type { LayerKind, Setting, Source } from './layer.ts';
import { KEYS, keyNamed } from './schema.ts';

/** A key's value as it counts, and who set it. */
export interface Effective {
  readonly placed: PlacedKey;
  readonly value: unknown;
  readonly origin: string;
  readonly layer: LayerKind;
  readonly source: Source;
}

/** Every key by name, in the order of the schema. */
export type EffectiveConfig = ReadonlyMap<string, Effective>;

/** @param settings strong to weak: the first for a key counts */
export function merge(settings: readonly Setting[], env: NodeJS.ProcessEnv): EffectiveConfig {
  const first = new Map<string, Setting>();
  for (const setting of settings) {
    if (!first.has(setting.placed.name)) {
      first.set(setting.placed.name, setting);
    }
  }
  const chosen = KEYS.flatMap(({ name }) => first.get(name) ?? []).map(({ placed, value, origin, source }) => ({ placed, origin, layer: source.kind, source, value: absolute(placed, value, source, env) }));
  return lowered(new Map(chosen.map((effective) => [effective.placed.name, effective])));
}

/** The values of the keys that nobody sets. */
export function defaultSettings(dataDir: string, folder: string): Setting[] {
  const source: Source = { kind: 'default', folder, place: () => ({ source: 'default' }), origin: () => 'default' };
  return KEYS.map((placed) => ({ placed, source, origin: 'default', value: placed.name === 'dataDir' ? dataDir : defaultValue(placed) }));
}

function defaultValue({ name, key }: PlacedKey): unknown {
  const decoded = decode(key, key.default ?? null);
  if (!decoded.ok) {
    throw new Error(`the default of ${name} is wrong: ${decoded.problems.map((wrong) => wrong.problem).join(', ')}`);
  }
  return decoded.value;
}

/** A path in the file is relative to the file, one in a flag or a variable to the working directory; `~` is the user's home. */
function absolute({ key }: PlacedKey, value: unknown, source: Source, env: NodeJS.ProcessEnv): unknown {
  if (key.relativeTo === undefined || typeof value !== 'string') {
    return value;
  }
  const expanded = value === '~' || value.startsWith('~/') ? home(env) + value.slice(1) : value;
  return key.relativeTo === 'file' ? resolve(source.folder, expanded) : expanded;
}

/** Where an operator sets the second and nothing else, the first follows: a preset must not contradict what a person wrote. */
const FOLLOWERS = [
  ['connections.high', 'connections.max'],
  ['connections.low', 'connections.high'],
  ['client.probe.timeout', 'client.probe.interval'],
] as const;

function lowered(config: Map<string, Effective>): EffectiveConfig {
  for (const [name, bound] of FOLLOWERS) {
    const own = config.get(name);
    const limit = config.get(bound);
    if (own !== undefined && limit !== undefined && isPreset(own) && (own.value as number) > (limit.value as number)) {
      config.set(name, { ...own, value: limit.value, origin: `${own.origin}, lowered to ${keyNamed(bound).name}` });
    }
  }
  return config;
}

function isPreset({ layer }: Effective): boolean {
  return layer === 'default' || layer === 'profile';
}
