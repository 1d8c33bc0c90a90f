import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEYS } from '../../../src/config/schema.ts';
import { variableName } from '../../../src/config/texts.ts';
import { errorsOf, load, PEERS } from './helpers.ts';

const FULL = `/dns4/relay.example.org/tcp/4001/p2p/${PEERS[0]}`;

describe('environment variables', () => {
  it('name keys in capitals', () => {
    const env = { RELAYD_RELAY__LIMITS__RESERVATIONS__MAX: '7', RELAYD_RELAY__MEMBERLIMITS__CIRCUITS__PERSOURCE: 'unlimited', RELAYD_relay__Open: 'false' };
    const { relay } = load({ env }).config;
    assert.deepEqual([relay.limits.reservations.max, relay.memberLimits.circuits.perSource, relay.open], [7, Infinity, false]);
  });

  it('reach every key', () => {
    const variables = KEYS.map(({ path }) => variableName(path));
    assert.equal(new Set(variables).size, KEYS.length);
    assert.deepEqual(errorsOf({ env: Object.fromEntries(variables.map((name) => [name, ''])) }), []);
  });

  it('hold YAML, or plain text where YAML would read something else', () => {
    const env = { RELAYD_ADMIN__LISTEN: '[::1]:80', RELAYD_REALM__NAME: '2024', RELAYD_RELAY__PREFIXES__IPV6: '[64]', RELAYD_LOG: '{level: debug}', RELAYD_DISCOVERY__MDNS: 'false' };
    const { config } = load({ env });
    assert.deepEqual([config.admin.listen, config.realm.name, config.relay.prefixes.ipv6, config.log.level], [{ host: '::1', port: 80 }, '2024', [64], 'debug']);
  });

  it('hold lists with commas as well', () => {
    const env = { RELAYD_CLIENT__RELAYS: FULL, RELAYD_REALM__MEMBERS: `${PEERS[1]}, ${PEERS[2]}`, RELAYD_NETWORK__LISTEN: '[/ip4/127.0.0.1/tcp/0, /ip6/::1/tcp/0]' };
    const { config } = load({ env });
    assert.deepEqual([config.client.relays, config.realm.members, config.network.listen], [[FULL], [PEERS[1], PEERS[2]], ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0']]);
  });

  it('count as not set when they are empty', () => {
    const loaded = load({ env: { RELAYD_CLIENT__DESIRED: '', RELAYD_CONFIG: '' } });
    assert.deepEqual([loaded.config.client.desired, loaded.file], [2, undefined]);
  });

  it('that name no key are errors, with what was meant', () => {
    assert.deepEqual(errorsOf({ env: { RELAYD_RELAY_LIMITS_RESERVATIONS_MAX: '1' } }), ['environment RELAYD_RELAY_LIMITS_RESERVATIONS_MAX: names no key; did you mean RELAYD_RELAY__LIMITS__RESERVATIONS__MAX?']);
    assert.deepEqual(errorsOf({ env: { RELAYD_RELAY__MEMBER_LIMITS__RESERVATIONS__MAX: '1' } }), [
      'environment RELAYD_RELAY__MEMBER_LIMITS__RESERVATIONS__MAX: names no key; did you mean RELAYD_RELAY__MEMBERLIMITS__RESERVATIONS__MAX?',
    ]);
    assert.deepEqual(errorsOf({ env: { RELAYD_RELAY__TTL: '1h' } }), ['environment RELAYD_RELAY__TTL: names no key; did you mean RELAYD_RELAY__LIMITS__RESERVATIONS__TTL?']);
    assert.deepEqual(errorsOf({ env: { RELAYD_XYZZY: '1' } }), ['environment RELAYD_XYZZY: names no key; a variable such as RELAYD_LOG__LEVEL, with __ between levels']);
  });

  it('that name a key and hold something wrong are errors, with the key', () => {
    assert.deepEqual(errorsOf({ env: { RELAYD_CLIENT__DESIRED: 'many', RELAYD_COORDINATION__BACKEND: 'zookeeper', RELAYD_RELAY: '[' } }), [
      'environment RELAYD_CLIENT__DESIRED: client.desired: "many" is not a whole number; a whole number',
      'environment RELAYD_COORDINATION__BACKEND: coordination.backend: "zookeeper" is not known here; none, gossip, redis or etcd',
      'environment RELAYD_RELAY: relay: "[" is not valid YAML; a map, such as {level: debug}',
    ]);
  });

  it('that Kubernetes or Docker made are nobody\'s mistake', () => {
    const injected = ['RELAYD_SERVICE_HOST', 'RELAYD_SERVICE_PORT', 'RELAYD_SERVICE_PORT_HTTP', 'RELAYD_PORT', 'RELAYD_PORT_4001_TCP', 'RELAYD_PORT_4001_TCP_ADDR', 'RELAYD_EU_SERVICE_HOST', 'RELAYD_EU_PORT_4001_TCP_PROTO'];
    assert.deepEqual(errorsOf({ env: Object.fromEntries(injected.map((name) => [name, 'tcp://10.0.0.1:4001'])) }), []);
  });

  it('of others are not looked at, and nor is any where none are given', () => {
    assert.deepEqual(errorsOf({ env: { RELAY_LOG__LEVEL: 'x', XRELAYD_LOG: 'x' } }), []);
    process.env.RELAYD_LOG__LEVEL = 'wrong';
    try {
      assert.deepEqual(errorsOf({}), []);
    } finally {
      delete process.env.RELAYD_LOG__LEVEL;
    }
  });
});

describe('--set', () => {
  it('sets keys and sections; of several for one key the last counts', () => {
    const { config } = load({ set: ['client.desired=3', 'relay={open: false}', 'client.desired=4', 'realm.name=a-b', 'network.listen=[]'] });
    assert.deepEqual([config.client.desired, config.relay.open, config.realm.name, config.network.listen], [4, false, 'a-b', []]);
  });

  it('clears what may be unset', () => {
    assert.equal(load({ set: ['realm.name='], env: { RELAYD_REALM__NAME: 'home' } }).config.realm.name, undefined);
  });

  it('takes lists of maps', () => {
    const forward = load({ set: [`tunnels.forward=[{listen: "127.0.0.1:2222", peer: ${PEERS[0]}, name: ssh}]`] }).config.tunnels.forward;
    assert.deepEqual(forward, [{ listen: { host: '127.0.0.1', port: 2222 }, peer: PEERS[0], name: 'ssh' }]);
  });

  it('is an error where it is wrong', () => {
    const cases: [string, string][] = [
      ['log.level', '--set: "log.level" has no =; key.path=value, such as log.level=debug'],
      ['=debug', '--set: "=debug" has no key; key.path=value, such as log.level=debug'],
      ['log.levle=debug', '--set: log.levle: unknown key; did you mean log.level?'],
      ['relay.limit.reservations.max=1', '--set: relay.limit.reservations.max: unknown key; did you mean relay.limits.reservations.max?'],
      ['relay.ttl=1h', '--set: relay.ttl: unknown key; did you mean relay.limits.reservations.ttl?'],
      ['client.relays.0=x', '--set: client.relays.0: client.relays has no keys below it; the whole value, as in client.relays=…'],
      ['relay=5', '--set: relay: 5 is not a map of keys; a map of open, limits, memberLimits, prefixes, asnFile, maxEventLoopDelay, region, alternatives or access'],
      ['constructor.x=5', '--set: constructor.x: unknown key; one of profile, role, dataDir, identity, network, connections, discovery, relay, client, tunnels, realm, coordination, admin, log, tracing, drain or doctor'],
      ['client.relays=a,b', '--set: client.relays[0]: "a" is not a multiaddr; a full address, such as /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…'],
    ];
    for (const [assignment, expected] of cases) {
      assert.equal(errorsOf({ set: [assignment] })[0], expected);
    }
  });
});

describe('--profile and --role', () => {
  it('are errors by their own name', () => {
    assert.deepEqual(errorsOf({ profile: 'tier9', role: 'server' }), ['--profile: profile: "tier9" is not known here; tier1, tier2 or tier3', '--role: role: "server" is not known here; relay, client or both']);
  });
});
