import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertConfig, loadConfig } from '../../../src/config/index.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { errorsOf, fileIn, folder, load, PEERS } from './helpers.ts';

describe('layers', () => {
  it('win in order: flags, environment, file, profile, defaults', (t) => {
    const file = fileIn(folder(t), 'relayd.yaml', 'client: {desired: 4}\n');
    const env = { RELAYD_CLIENT__DESIRED: '5' };
    const desired = [{ env, file, set: ['client.desired=6'], role: 'client' }, { env, file, role: 'client' }, { file, role: 'client' }, { role: 'client' }, {}].map((sources) => {
      const loaded = load(sources);
      return [loaded.config.client.desired, loaded.layers.get('client.desired')?.origin];
    });
    assert.deepEqual(desired, [[6, '--set'], [5, 'environment RELAYD_CLIENT__DESIRED'], [4, `${file}:1`], [1, 'profile tier1'], [2, 'default']]);
  });

  it('choose the profile and the role from any of them', (t) => {
    const file = fileIn(folder(t), 'relayd.yaml', 'profile: tier2\nrole: client\n');
    const chosen = [{ file }, { file, env: { RELAYD_ROLE: 'both' } }, { file, set: ['role=relay'] }, { file, profile: 'tier1', role: 'relay' }].map((sources) => {
      const { profile, role, connections, network } = load(sources).config;
      return [profile, role, connections.max, network.listen.length];
    });
    assert.deepEqual(chosen, [['tier2', 'client', 1024, 0], ['tier2', 'both', 8192, 2], ['tier2', 'relay', 8192, 2], ['tier1', 'relay', 4096, 2]]);
  });

  it('replace lists as a whole', (t) => {
    const file = fileIn(folder(t), 'relayd.yaml', `realm: {members: [${PEERS[0]}, ${PEERS[1]}]}\n`);
    assert.deepEqual(load({ file, set: [`realm.members=[${PEERS[2]}]`] }).config.realm.members, [PEERS[2]]);
  });

  it('take the file that RELAYD_CONFIG names, unless another is given', (t) => {
    const path = folder(t);
    const [one, two] = [fileIn(path, 'one.yaml', 'client: {desired: 3}'), fileIn(path, 'two.yaml', 'client: {desired: 4}')];
    assert.equal(load({ env: { RELAYD_CONFIG: one } }).config.client.desired, 3);
    const both = load({ env: { RELAYD_CONFIG: one }, file: two });
    assert.deepEqual([both.config.client.desired, both.file], [4, two]);
  });
});

describe('a config object', () => {
  it('has the keys and values of the file', () => {
    const { config } = load({ inline: { role: 'client', client: { relays: [`/ip4/127.0.0.1/tcp/4001/p2p/${PEERS[0]}`], probe: { interval: '10s' } }, realm: undefined } });
    assert.deepEqual([config.role, config.client.relays.length, config.client.probe.intervalMs], ['client', 1, 10_000]);
  });

  it('has errors that name it', () => {
    assert.deepEqual(errorsOf({ inline: { client: { desired: 99, relay: [] }, log: { level: () => 1 } } }), [
      'config object: client.desired: 99 is too large; at most 16',
      'config object: client.relay: unknown key; did you mean client.relays?',
      'config object: log.level: a function is not known here; trace, debug, info, warn, error or silent',
    ]);
    assert.deepEqual(errorsOf({ inline: 'relay' }), ['config object: "relay" is not a map of keys; a map of profile, role, dataDir, identity, network, connections, discovery, relay, client, tunnels, realm, coordination, admin, log, tracing, drain or doctor']);
  });
});

const dataDirs = (env: NodeJS.ProcessEnv): string | undefined => {
  const result = loadConfig({ env });
  return result.ok ? result.config.dataDir : undefined;
};

describe('the data directory', () => {
  it('is what systemd gives, or the XDG state folder', () => {
    const home = { HOME: '/home/ann' };
    assert.equal(dataDirs({ ...home, STATE_DIRECTORY: '/var/lib/relayd', XDG_STATE_HOME: '/x' }), '/var/lib/relayd');
    assert.equal(dataDirs({ ...home, STATE_DIRECTORY: '/var/lib/relayd:/var/lib/other' }), '/var/lib/relayd');
    assert.equal(dataDirs({ ...home, XDG_STATE_HOME: '/x' }), '/x/relayd');
    assert.equal(dataDirs({ ...home, XDG_STATE_HOME: 'relative' }), '/home/ann/.local/state/relayd');
    assert.equal(dataDirs(home), '/home/ann/.local/state/relayd');
  });

  it('may begin with ~, and is absolute', () => {
    assert.equal(load({ set: ['dataDir=~/relay'], env: { HOME: '/home/ann' } }).config.dataDir, '/home/ann/relay');
    assert.equal(load({ set: ['dataDir=relay'] }).config.dataDir, join(process.cwd(), 'relay'));
  });
});

describe('the domain config', () => {
  it('is frozen all through', () => {
    const { config } = load({ set: [`tunnels.expose=[{name: a, to: "b:1", allow: [${PEERS[0]}]}]`] });
    const frozen = (value: unknown): boolean => typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    assert.ok(frozen(config));
  });

  it('has units in names, Infinity for unlimited, and undefined for an unlimited rate', () => {
    const { relay, drain, connections } = load({ set: ['relay.limits.rates.connectPerPeer=unlimited', 'relay.limits.bandwidth.total=10MiB/s', 'relay.limits.circuits.duration=unlimited'] }).config;
    assert.deepEqual(relay.limits, {
      reservations: { max: 128, perPrefix: 8, perAsn: 32, ttlMs: 3_600_000 },
      circuits: { max: 1024, perSource: 16, perTarget: 16, pending: 128, durationMs: Infinity, bytesPerDirection: 131_072, idleMs: 60_000 },
      rates: { reservePerPeer: { count: 30, perMs: 3_600_000 }, reservePerPrefix: { count: 60, perMs: 60_000 }, connectPerPeer: undefined, connectPerPrefix: { count: 240, perMs: 60_000 } },
      bandwidth: { perCircuit: Infinity, perPeer: Infinity, total: 10_485_760 },
      memory: { perDirection: 262_144, total: 536_870_912 },
    });
    assert.deepEqual([drain, connections.inboundPerPrefix], [{ timeoutMs: 30_000 }, { count: 64, perMs: 1000 }]);
  });

  it('has the keys of the file', () => {
    const { config } = load({});
    assert.deepEqual(Object.keys(config), ['profile', 'role', 'dataDir', 'identity', 'network', 'connections', 'discovery', 'relay', 'client', 'tunnels', 'realm', 'coordination', 'admin', 'log', 'tracing', 'drain', 'doctor']);
    assert.deepEqual([Object.keys(config.discovery), Object.keys(config.realm)], [['network', 'bootstrap', 'dht', 'mdns', 'dnsServers'], ['name', 'members', 'authority', 'tokenFile', 'revocationFile']]);
  });
});

const thrown = (set: string[]): RelaydError => {
  try {
    assertConfig(loadConfig({ set }));
  } catch (error) {
    assert.ok(error instanceof RelaydError);
    return error;
  }
  return assert.fail('nothing was thrown');
};

describe('assertConfig', () => {
  it('throws every problem', () => {
    const error = thrown(['client.desired=99', 'drain.timeout=1']);
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.equal(error.message.split('\n').length, 2);
    assert.equal((error.data.problems as unknown[]).length, 2);
  });

  it('gives the config otherwise', () => {
    assert.equal(assertConfig(loadConfig({ role: 'both' })).role, 'both');
  });
});
