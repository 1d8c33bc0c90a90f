import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { WebAuthority, writeCertificate } from '../../support/certificate.ts';
import { errorsOf, fileErrors, fileIn, folder, load, PEERS } from './helpers.ts';

const MAKE = 'a file with 64 hex digits, the same on each relay: (umask 077; openssl rand -hex 32 > cluster.secret)';

/** What is wrong with these settings of a cluster that has a secret. */
function errors(t: TestContext, ...set: string[]): string[] {
  const secret = fileIn(folder(t), 'cluster.secret', 'ab'.repeat(32));
  return errorsOf({ set: [`coordination.secretFile=${secret}`, ...set.map((setting) => `coordination.${setting}`)] }).map((line) => line.replace('--set: coordination.', ''));
}

describe('a relay of a cluster', () => {
  it('needs the secret of the cluster, and is told how to make one', (t) => {
    assert.deepEqual(fileErrors(t, 'coordination: {backend: gossip}'), [`F:1:25: coordination.backend: the relays of a cluster need a secret, and coordination.secretFile is not set; ${MAKE}`]);
    assert.deepEqual(fileErrors(t, 'profile: tier3'), [`F:1:10: profile: the relays of a cluster need a secret, and coordination.secretFile is not set; ${MAKE}`]);
    assert.deepEqual(errorsOf({ profile: 'tier3' }), [`--profile: profile: the relays of a cluster need a secret, and coordination.secretFile is not set; ${MAKE}`]);
    assert.deepEqual(errors(t, 'backend=gossip'), [], 'and no other relay: it may be the first');
  });

  it('is no client', (t) => {
    assert.deepEqual(fileErrors(t, 'role: client\ncoordination: {backend: redis}'), [
      'F:2:25: coordination.backend: a client is no relay of a cluster; leave it out, or role: relay or both; a client needs only the addresses of relays (client.relays)',
    ]);
    assert.deepEqual(errorsOf({ profile: 'tier3', role: 'client' }), []);
  });

  it('finds the others without QUIC in a private network', (t) => {
    const swarm = fileIn(folder(t), 'swarm.key', `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`);
    assert.deepEqual(errorsOf({ set: [`network.swarmKeyFile=${swarm}`, `coordination.relays=[/ip4/203.0.113.7/udp/4001/quic-v1/p2p/${PEERS[0]}]`] }), [
      '--set: coordination.relays[0]: a private network (network.swarmKeyFile) cannot run over QUIC; an address over TCP',
    ]);
  });
});

describe('a limit that each relay has for itself', () => {
  it('is refused as one of the cluster, with its right place', (t) => {
    assert.deepEqual(fileErrors(t, 'coordination:\n  limits: {circuits: {duration: 2m}, memory: {total: 1GiB}}\n  memberLimits: {reservations: {ttl: 1h}, quotas: {peer: 1GiB/d}}\n'), [
      'F:2:23: coordination.limits.circuits.duration: is not counted over a cluster; each relay has its own relay.limits.circuits.duration',
      'F:2:38: coordination.limits.memory: is not counted over a cluster; each relay has its own relay.limits.memory',
      'F:3:33: coordination.memberLimits.reservations.ttl: is not counted over a cluster; each relay has its own relay.memberLimits.reservations.ttl',
      'F:3:43: coordination.memberLimits.quotas: unknown key; did you mean coordination.limits.quotas?',
    ]);
  });
});

describe('a secret', () => {
  it('that somebody writes into the configuration is asked for by its file, and not repeated', (t) => {
    assert.deepEqual(fileErrors(t, 'coordination:\n  secret: hunter2\n  redis: {password: hunter2}\n  etcd: {password: hunter2}\n'), [
      'F:2:3: coordination.secret: unknown key; did you mean coordination.secretFile?',
      'F:3:11: coordination.redis.password: unknown key; did you mean coordination.redis.passwordFile?',
      'F:4:10: coordination.etcd.password: unknown key; did you mean coordination.etcd.passwordFile?',
    ]);
  });
});

describe('a store', () => {
  it('has a URL without a name or password, which errors do not repeat', (t) => {
    const inUrl = 'there is a name or password in the URL, which is printed and logged';
    assert.deepEqual(errors(t, 'redis.url=redis://ann:hunter2@127.0.0.1:6379', 'etcd.endpoints=[http://ann:hunter2@127.0.0.1:2379]'), [
      `etcd.endpoints[0]: ${inUrl}; http://HOST:PORT, or https://HOST:PORT for TLS; they belong into coordination.etcd.username and coordination.etcd.passwordFile`,
      `redis.url: ${inUrl}; redis://HOST:PORT, or rediss://HOST:PORT for TLS; they belong into coordination.redis.username and coordination.redis.passwordFile`,
    ]);
    for (const wrong of ['127.0.0.1:6379', 'http://127.0.0.1:6379', 'redis://', 'redis://a/b', 'redis:///0']) {
      assert.deepEqual(errors(t, `redis.url=${wrong}`), [`redis.url: ${JSON.stringify(wrong)} does not say where the store is; redis://HOST:PORT, or rediss://HOST:PORT for TLS`]);
    }
    const behind = "what follows '?' or '#' in the URL is not read, and would be printed and logged";
    for (const secret of ['redis://127.0.0.1:6379?password=hunter2', 'redis://127.0.0.1:6379/0#hunter2', 'mailto:?hunter2']) {
      assert.deepEqual(errors(t, `redis.url=${secret}`), [`redis.url: ${behind}; redis://HOST:PORT, or rediss://HOST:PORT for TLS; a name and password belong into coordination.redis.username and coordination.redis.passwordFile`]);
    }
    assert.deepEqual(errors(t, 'etcd.endpoints=[http://a:2379/v3]'), ['etcd.endpoints[0]: "http://a:2379/v3" does not say where the store is; http://HOST:PORT, or https://HOST:PORT for TLS']);
  });

  it('on this machine needs neither TLS nor a password', (t) => {
    assert.deepEqual([...errors(t, 'backend=redis'), ...errors(t, 'backend=etcd'), ...errors(t, 'backend=redis', 'redis.url=redis://[::1]:6379/3')], []);
  });

  it('on another machine needs TLS and a password, unless the operator says otherwise', (t) => {
    const password = `passwordFile=${fileIn(folder(t), 'password', 'hunter2')}`;
    const otherwise = 'or, in a network that is yours alone, coordination.allowPlaintext: true';
    const plain = 'is another machine, and what goes there is not encrypted';
    const unknown = 'is another machine, and nothing shows the store who asks';
    assert.deepEqual(errors(t, 'backend=redis', 'redis.url=redis://store.example.org', `redis.${password}`), [`redis.url: store.example.org ${plain}; rediss://… (coordination.redis.url), ${otherwise}`]);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.url=rediss://store.example.org'), [`redis.url: store.example.org ${unknown}; set coordination.redis.passwordFile or coordination.redis.tls.certFile, ${otherwise}`]);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.url=rediss://store.example.org', `redis.${password}`), []);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.url=redis://store.example.org', 'allowPlaintext=true'), []);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.sentinels=[127.0.0.1:26379, s2.example.org:26379]', `redis.${password}`), [`redis.sentinels[1]: s2.example.org ${plain}; rediss://… (coordination.redis.url), ${otherwise}`]);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.nodes=[redis://n2.example.org:6379]', `redis.${password}`), [`redis.nodes[0]: n2.example.org ${plain}; rediss://… (coordination.redis.url), ${otherwise}`]);
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.endpoints=[http://127.0.0.1:2379, http://e2.example.org:2379]', 'etcd.username=relayd', `etcd.${password}`), [`etcd.endpoints[1]: e2.example.org ${plain}; https://…, ${otherwise}`]);
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.endpoints=[https://e1.example.org:2379]'), [`etcd.endpoints[0]: e1.example.org ${unknown}; set coordination.etcd.passwordFile or coordination.etcd.tls.certFile, ${otherwise}`]);
    const { certFile, keyFile } = writeCertificate(folder(t), new WebAuthority().issue());
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.endpoints=[https://e1.example.org:2379]', `etcd.tls.certFile=${certFile}`, `etcd.tls.keyFile=${keyFile}`), []);
    assert.deepEqual(errors(t, 'backend=etcd', 'redis.url=redis://store.example.org'), [], 'of a store that is not used nothing is asked');
  });

  it('has names and passwords, certificates and keys, together', (t) => {
    const password = fileIn(folder(t), 'password', 'hunter2');
    const { certFile, keyFile } = writeCertificate(folder(t), new WebAuthority().issue());
    assert.deepEqual(errors(t, 'backend=redis', 'redis.username=relayd'), ['redis.username: there is no password for it; set coordination.redis.passwordFile, or leave the name out']);
    assert.deepEqual(errors(t, 'backend=redis', `redis.passwordFile=${password}`), []);
    const sentinels = 'redis.sentinels=[127.0.0.1:26379]';
    assert.deepEqual(errors(t, 'backend=redis', sentinels, 'redis.sentinelUsername=relayd'), ['redis.sentinelUsername: there is no password for it; set coordination.redis.sentinelPasswordFile, or leave the name out']);
    assert.deepEqual(errors(t, 'backend=redis', sentinels, 'redis.sentinelUsername=relayd', `redis.sentinelPasswordFile=${password}`), []);
    const alone = 'there are no sentinels; set coordination.redis.sentinels, or leave it out';
    assert.deepEqual(errors(t, 'backend=redis', 'redis.sentinelUsername=relayd'), [`redis.sentinelUsername: ${alone}`]);
    assert.deepEqual(errors(t, 'backend=redis', `redis.sentinelPasswordFile=${password}`), [`redis.sentinelPasswordFile: ${alone}`]);
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.username=relayd'), ['etcd.username: coordination.etcd.passwordFile is not set; both or none']);
    assert.deepEqual(errors(t, 'backend=etcd', `etcd.passwordFile=${password}`), ['etcd.passwordFile: coordination.etcd.username is not set; both or none']);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.url=rediss://127.0.0.1', `redis.tls.certFile=${certFile}`), ['redis.tls.certFile: coordination.redis.tls.keyFile is not set; both or none']);
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.endpoints=[https://127.0.0.1:2379]', `etcd.tls.keyFile=${keyFile}`), ['etcd.tls.keyFile: coordination.etcd.tls.certFile is not set; both or none']);
    assert.deepEqual(errors(t, 'backend=redis', `redis.tls.caFile=${certFile}`), ['redis.tls.caFile: TLS is not spoken with the store; coordination.redis.url: rediss://…, or leave it out']);
    assert.deepEqual(errors(t, 'backend=etcd', `etcd.tls.caFile=${certFile}`), ['etcd.tls.caFile: TLS is not spoken with the store; coordination.etcd.endpoints: [https://…], or leave it out']);
  });

  it('is one kind of Redis, and speaks TLS everywhere or nowhere', (t) => {
    assert.deepEqual(errors(t, 'backend=redis', 'redis.nodes=[redis://127.0.0.1:6380]', 'redis.sentinels=[127.0.0.1:26379]'), ['redis.nodes: both nodes of a Redis Cluster and sentinels are set; one of them: a Redis Cluster elects its primaries without sentinels']);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.nodes=[rediss://127.0.0.1:6380]'), ['redis.nodes[0]: it begins with rediss://, and coordination.redis.url with redis://; TLS for all of them or for none']);
    assert.deepEqual(errors(t, 'backend=redis', 'redis.nodes=[redis://127.0.0.1:6380]', 'redis.url=redis://127.0.0.1:6379/2'), ['redis.url: a Redis Cluster has only database 0; leave the number out']);
    assert.deepEqual(errors(t, 'backend=etcd', 'etcd.endpoints=[http://127.0.0.1:2379, https://127.0.0.1:2380]'), ['etcd.endpoints[1]: it begins with https://, and the first with http://; TLS for all of them or for none']);
  });
});

describe('the profile of a cluster', () => {
  it('has gossip, limits over the cluster for strangers, and none for members', (t) => {
    const secret = fileIn(folder(t), 'cluster.secret', 'ab'.repeat(32));
    const { coordination, relay } = load({ profile: 'tier3', set: [`coordination.secretFile=${secret}`] }).config;
    assert.deepEqual([coordination.backend, coordination.reservationAddrs, coordination.secretFile], ['gossip', 'own', secret]);
    assert.deepEqual(coordination.limits, {
      reservations: { max: Infinity, perPeer: 4, perPrefix: 16, perAsn: Infinity },
      circuits: { max: Infinity, perSource: 16, perTarget: Infinity, perPrefix: Infinity },
      rates: relay.limits.rates,
      quotas: { peer: undefined, prefix: undefined, realm: undefined, token: undefined },
    });
    assert.deepEqual(coordination.memberLimits, {
      reservations: { max: Infinity, perPeer: Infinity, perPrefix: Infinity, perAsn: Infinity, perToken: Infinity },
      circuits: { max: Infinity, perSource: Infinity, perTarget: Infinity, perPrefix: Infinity, perToken: Infinity },
      rates: { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined },
    });
  });

  it('gives a relay no less than Tier 2 does', (t) => {
    const secret = fileIn(folder(t), 'cluster.secret', 'ab'.repeat(32));
    const [two, three] = [load({ profile: 'tier2' }).config, load({ profile: 'tier3', set: [`coordination.secretFile=${secret}`] }).config];
    for (const limits of ['limits', 'memberLimits'] as const) {
      for (const section of ['reservations', 'circuits', 'bandwidth', 'memory'] as const) {
        for (const [name, value] of Object.entries(two.relay[limits][section])) {
          assert.ok((three.relay[limits][section] as Record<string, number>)[name]! >= value, `${limits}.${section}.${name}`);
        }
      }
    }
  });
});
