import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLUSTER_LIMITS } from '../../../src/lib/cluster/relay-cluster.ts';
import { decode } from '../../../src/config/layer.ts';
import { readProfile } from '../../../src/config/load.ts';
import { PROFILES } from '../../../src/config/profiles.ts';
import { KEYS } from '../../../src/config/schema.ts';
import type { Profile, Role } from '../../../src/config/domain.ts';
import { encode } from '../../../src/config/written.ts';

const LIMITS = [
  'reservations.max', 'reservations.perPrefix', 'reservations.perAsn', 'reservations.ttl',
  'circuits.max', 'circuits.perSource', 'circuits.perTarget', 'circuits.pending', 'circuits.duration', 'circuits.bytesPerDirection', 'circuits.idle',
  'rates.reservePerPeer', 'rates.reservePerPrefix', 'rates.connectPerPeer', 'rates.connectPerPrefix',
  'bandwidth.perCircuit', 'bandwidth.perPeer', 'bandwidth.total', 'memory.perDirection', 'memory.total',
];

const STORE_FILES = ['passwordFile', 'tls.caFile', 'tls.certFile', 'tls.keyFile'];

/** The keys of the interface, a contract, in its order, with the additions among them. */
const INTERFACE = [
  'profile', 'role', 'dataDir', 'identity.keyFile',
  'network.listen', 'network.websocket.certFile', 'network.websocket.keyFile', 'network.announce', 'network.allowPrivate', 'network.swarmKeyFile', 'network.security', 'network.dataPath',
  'connections.low', 'connections.high', 'connections.max', 'connections.pendingPerPrefix', 'connections.inboundPerPrefix',
  'discovery.network', 'discovery.bootstrap', 'discovery.dht.enabled', 'discovery.dht.protocol', 'discovery.dht.mode', 'discovery.dht.advertise', 'discovery.mdns', 'discovery.dnsServers',
  'relay.open', ...LIMITS.map((name) => `relay.limits.${name}`), ...LIMITS.map((name) => `relay.memberLimits.${name}`),
  'relay.prefixes.ipv4', 'relay.prefixes.ipv6', 'relay.prefixes.exempt', 'relay.asnFile', 'relay.maxEventLoopDelay', 'relay.region', 'relay.alternatives',
  ...['reserve', 'connect', 'target'].flatMap((name) => [`relay.access.${name}.allow`, `relay.access.${name}.deny`]),
  'client.relays', 'client.desired', 'client.when', 'client.prefer', 'client.avoid', 'client.holePunch', 'client.probe.interval', 'client.probe.timeout',
  'tunnels.expose', 'tunnels.forward',
  'realm.name', 'realm.members', 'realm.authority', 'realm.tokenFile', 'realm.revocationFile',
  ...['backend', 'cluster', 'secretFile', 'relays', 'reservationAddrs', 'allowPlaintext'].map((name) => `coordination.${name}`),
  ...['url', 'nodes', 'sentinels', 'sentinelPrimary', 'sentinelUsername', 'sentinelPasswordFile', 'username', ...STORE_FILES].map((name) => `coordination.redis.${name}`),
  ...['endpoints', 'username', ...STORE_FILES].map((name) => `coordination.etcd.${name}`),
  ...CLUSTER_LIMITS.filter((name) => !name.endsWith('perToken')).map((name) => `coordination.limits.${name}`),
  ...CLUSTER_LIMITS.filter((name) => !name.startsWith('quotas')).map((name) => `coordination.memberLimits.${name}`),
  'admin.listen', 'admin.tokenFile', 'log.level', 'log.format', 'tracing.endpoint', 'tracing.sampleRatio', 'drain.timeout', 'doctor.acknowledge',
];

/** The defaults that the interface names. */
const DEFAULTS: Record<string, unknown> = {
  role: 'relay', 'identity.keyFile': 'identity.key', 'network.listen': ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'], 'network.security': ['tls', 'noise'],
  'connections.low': 160, 'connections.high': 192, 'connections.max': 4096, 'connections.pendingPerPrefix': 16, 'connections.inboundPerPrefix': '64/s',
  'relay.limits.reservations.max': 128, 'relay.limits.reservations.perPrefix': 8, 'relay.limits.reservations.perAsn': 32, 'relay.limits.reservations.ttl': '1h',
  'relay.limits.circuits.max': 1024, 'relay.limits.circuits.perSource': 16, 'relay.limits.circuits.perTarget': 16, 'relay.limits.circuits.pending': 128,
  'relay.limits.circuits.duration': '2m', 'relay.limits.circuits.bytesPerDirection': '128KiB', 'relay.limits.circuits.idle': '1m',
  'relay.limits.rates.reservePerPeer': '30/h', 'relay.limits.rates.reservePerPrefix': '60/m', 'relay.limits.rates.connectPerPeer': '60/m', 'relay.limits.rates.connectPerPrefix': '240/m',
  'relay.limits.memory.perDirection': '256KiB', 'relay.limits.memory.total': '512MiB', 'relay.prefixes.ipv4': 32, 'relay.prefixes.ipv6': [56, 48],
  'coordination.backend': 'none', 'coordination.cluster': 'default', 'coordination.redis.url': 'redis://127.0.0.1:6379', 'coordination.etcd.endpoints': ['http://127.0.0.1:2379'],
  'relay.memberLimits.circuits.perSource': 256, 'relay.memberLimits.circuits.perTarget': 256, 'relay.memberLimits.circuits.duration': 'unlimited',
  'relay.memberLimits.circuits.bytesPerDirection': 'unlimited', 'relay.memberLimits.circuits.idle': 'unlimited',
  'client.desired': 2, 'client.probe.interval': '5s', 'client.probe.timeout': '3s', 'admin.listen': '127.0.0.1:9641', 'log.level': 'info', 'log.format': 'auto', 'drain.timeout': '30s',
};

describe('the schema', () => {
  it('has every key of the interface, in its order, and no other', () => {
    assert.deepEqual(KEYS.map(({ name }) => name), INTERFACE);
  });

  it('has the defaults of the interface', () => {
    const own = Object.fromEntries(KEYS.filter(({ name }) => Object.hasOwn(DEFAULTS, name)).map(({ name, key }) => [name, key.default]));
    assert.deepEqual(own, DEFAULTS);
  });

  it('has defaults that are right, and written as they would be printed', () => {
    for (const { name, key } of KEYS.filter((placed) => placed.key.default !== undefined)) {
      const decoded = decode(key, key.default);
      assert.ok(decoded.ok, name);
      assert.deepEqual(encode({ placed: { key }, value: decoded.value }), key.default, name);
    }
  });

  it('documents every key in one line', () => {
    for (const { name, key } of KEYS) {
      assert.match(key.doc, /^[^\n]{5,}[.!]$/, name);
    }
  });

  it('lets a reload change what the interface says', () => {
    const live = KEYS.filter(({ key }) => key.live).map(({ name }) => name);
    const expected = INTERFACE.filter((name) => /^(relay\.(limits|memberLimits|access|prefixes)\.|relay\.(open|maxEventLoopDelay|region|alternatives)$|realm\.(members|authority|tokenFile)$|log\.level$|discovery\.bootstrap$|client\.|connections\.|coordination\.((limits|memberLimits)\.|secretFile$)|drain\.|doctor\.)/.test(name));
    // The muxer's windows are set when the node starts, protocols are offered from then on.
    const atStart = /\.memory\.perDirection$|^client\.holePunch$/;
    assert.deepEqual(live, expected.filter((name) => !atStart.test(name)));
  });
});

describe('the profiles', () => {
  for (const profile of Object.keys(PROFILES) as Profile[]) {
    for (const role of ['relay', 'client', 'both'] as Role[]) {
      it(`${profile} ${role} sets keys that there are, to values that they take`, () => {
        assert.deepEqual(readProfile(profile, role).problems, []);
      });
    }
  }
});
