import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changedKeys } from '../../../src/config/index.ts';
import { KEYS } from '../../../src/config/schema.ts';
import { load, PEERS } from './helpers.ts';

const changes = (...set: string[]) => changedKeys(load({}).config, load({ set }).config);

const names = (settings: string[]): string[] => settings.map((setting) => setting.split('=')[0] ?? '');
const inOrder = (found: string[]): string[] => KEYS.map(({ name }) => name).filter((name) => found.includes(name));

describe('changedKeys', () => {
  it('finds nothing between equal configs', () => {
    assert.deepEqual(changes(), { live: [], restart: [] });
    assert.deepEqual(changes('relay.limits.circuits.duration=120s'), { live: [], restart: [] });
  });

  it('tells what a reload applies from what needs a restart', () => {
    const live = [`discovery.bootstrap=[/dns4/a.org/tcp/1/p2p/${PEERS[0]}]`, 'connections.max=500', 'relay.limits.circuits.duration=1m', 'relay.memberLimits.rates.connectPerPeer=unlimited', 'client.probe.interval=4s', `realm.members=[${PEERS[0]}]`, 'log.level=debug', 'drain.timeout=1m'];
    const restart = ['role=both', 'dataDir=/elsewhere', 'network.security=[noise]', 'tunnels.expose=[{name: a, to: "b:1"}]', 'realm.name=home', 'admin.listen=127.0.0.1:1'];
    const { live: liveKeys, restart: restartKeys } = changes(...live, ...restart);
    assert.deepEqual(liveKeys, inOrder([...names(live), 'client.desired']));
    assert.deepEqual(restartKeys, inOrder([...names(restart), 'identity.keyFile', 'realm.revocationFile']));
  });

  it('sees every key', () => {
    const { config } = load({});
    for (const { path, key, name } of KEYS) {
      const copy = structuredClone(config) as never as Record<string, unknown>;
      const parent = path.slice(0, -1).reduce((tree, part) => tree[part] as Record<string, unknown>, copy);
      parent[`${path.at(-1)}${key.type.suffix}`] = 'something else';
      const { live, restart } = changedKeys(config, copy as never);
      assert.deepEqual([...live, ...restart], [name]);
    }
  });
});
