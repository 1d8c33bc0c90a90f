import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RelaydConfig } from '../../../src/config/domain.ts';
import { domainPath } from '../../../src/config/build.ts';
import { changedKeys, withLive } from '../../../src/config/index.ts';
import type { PlacedKey } from '../../../src/config/key.ts';
import { KEYS } from '../../../src/config/schema.ts';
import { load } from './helpers.ts';

function changed(config: RelaydConfig, placed: PlacedKey): RelaydConfig {
  const copy = structuredClone(config) as never as Record<string, unknown>;
  const path = domainPath(placed);
  const parent = path.slice(0, -1).reduce((tree, part) => tree[part] as Record<string, unknown>, copy);
  parent[path.at(-1)!] = 'something else';
  return copy as never;
}

describe('a config that is read again', () => {
  const { config } = load({});
  const taken = (placed: PlacedKey): string[] => Object.values(changedKeys(config, withLive(config, changed(config, placed)))).flat() as string[];

  it('takes force in every key that can change while the node runs', () => {
    const live = KEYS.filter(({ key }) => key.live);
    assert.deepEqual(live.map(taken), live.map(({ name }) => [name]));
  });

  it('leaves what a running node was built with, so that the next reload says again what needs a restart', () => {
    const built = KEYS.filter(({ key }) => !key.live);
    assert.deepEqual(built.flatMap(taken), []);
    assert.ok(built.length > 10, `${built.length}`);
  });

  it('leaves the config that was there as it was', () => {
    const before = structuredClone(config);
    KEYS.forEach(taken);
    assert.deepEqual(config, before);
  });
});
