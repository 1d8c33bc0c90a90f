import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { configRows, loadConfig } from '../../../src/config/index.ts';
import type { ConfigSources, EffectiveConfig } from '../../../src/config/index.ts';
import type { ConfigRow } from '../../../src/lib/contracts.ts';

function layers(sources: ConfigSources): EffectiveConfig {
  const loaded = loadConfig({ defaultDataDir: '/var/lib/relayd', ...sources });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.layers;
}

function rowIn(rows: readonly ConfigRow[], key: string): ConfigRow | undefined {
  return rows.find((row) => row.key === key);
}

describe('the rows of the config in force', () => {
  it('have every key as it is written, who set it, and what a change needs', () => {
    const rows = configRows(layers({ role: 'relay', set: ['relay.limits.circuits.duration=5m'] }));
    assert.deepEqual(rowIn(rows, 'relay.limits.circuits.duration'), { key: 'relay.limits.circuits.duration', value: '5m', origin: '--set', applies: 'live' });
    assert.deepEqual(rowIn(rows, 'relay.limits.circuits.idle'), { key: 'relay.limits.circuits.idle', value: '1m', origin: 'default', applies: 'live' });
    assert.equal(rowIn(rows, 'network.listen')?.applies, 'restart');
    assert.equal(rowIn(rows, 'admin.tokenFile')?.value, null);
  });

  it('after a reload have the new value of a live key, and the old one of a key that waits for a restart', () => {
    const before = layers({ role: 'relay' });
    const rows = configRows(before, layers({ role: 'relay', set: ['relay.limits.circuits.duration=5m', 'network.listen=[/ip4/127.0.0.1/tcp/4009]'] }));
    assert.equal(rowIn(rows, 'relay.limits.circuits.duration')?.value, '5m');
    const listen = rowIn(rows, 'network.listen');
    assert.deepEqual([listen?.value, listen?.origin, listen?.afterRestart], [['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'], 'default', ['/ip4/127.0.0.1/tcp/4009']]);
    assert.deepEqual(rows.filter(({ afterRestart }) => afterRestart !== undefined).length, 1);
  });

  it('have no password of a URL', () => {
    const [log] = [...layers({ role: 'relay' }).values()].filter(({ placed }) => placed.name === 'log.level');
    assert.ok(log);
    const written = (value: unknown): unknown => configRows(new Map([['url', { ...log, placed: { ...log.placed, key: { ...log.placed.key, type: { ...log.placed.key.type, codec: z.any() } } }, value }]]))[0]?.value;
    assert.equal(written('redis://user:secret@127.0.0.1:6379/0'), 'redis://***@127.0.0.1:6379/0');
    assert.deepEqual(written(['https://token@collector.example/v1', 'https://collector.example/a@b', '127.0.0.1:22']), ['https://***@collector.example/v1', 'https://collector.example/a@b', '127.0.0.1:22']);
  });
});
