import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ipaddr from 'ipaddr.js';
import { parse } from 'yaml';
import { goDurationMs } from '../../../src/cli/migrate/go-duration.ts';
import { cli } from './run-cli.ts';
import type { CliResult } from './run-cli.ts';

const FIXTURES = fileURLToPath(new URL('../../support/go-relay-daemon', import.meta.url));
const OLD_CONFIG = join(FIXTURES, 'relay.json');
const PEER = '12D3KooWEbomrRWemnfMBfgNMHdQmduTYZGmmLzTUXydfwU1iohy';

let dir: string;
let count = 0;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'relayd-migrate-'));
});

after(() => rm(dir, { recursive: true, force: true }));

interface Migrated {
  config: Record<string, unknown>;
  left: string[];
  changed: string[];
}

/** What becomes of an old config. */
async function migrated(old: unknown, ...options: string[]): Promise<Migrated> {
  const { result, place } = await migrate(JSON.stringify(old), '--yes', '--json', ...options);
  assert.equal(result.code, 0, result.stderr);
  const report = JSON.parse(result.stdout) as { left: { what: string }[]; changed: { what: string }[] };
  const check = await cli(['config', 'check', join(place, 'relay.yaml')]);
  assert.equal(check.code, 0, check.stderr);
  const config = parse(await readFile(join(place, 'relay.yaml'), 'utf8')) as Record<string, unknown>;
  return { config, left: report.left.map(({ what }) => what), changed: report.changed.map(({ what }) => what) };
}

async function migrate(text: string, ...options: string[]): Promise<{ result: CliResult; place: string; file: string }> {
  const place = join(dir, String((count += 1)));
  const file = `${place}.json`;
  await writeFile(file, text);
  const result = await cli(['migrate', file, '--config', join(place, 'relay.yaml'), '--data-dir', place, ...options]);
  return { result, place, file };
}

function at(config: Record<string, unknown>, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], config);
}

describe('relayd migrate, field by field', () => {
  const fields: [old: unknown, key: string, value: unknown][] = [
    [{ Network: { ListenAddrs: ['/ip4/0.0.0.0/tcp/4444', '/ip6/::/tcp/4444'] } }, 'network.listen', ['/ip4/0.0.0.0/tcp/4444', '/ip6/::/tcp/4444']],
    [{ Network: { ListenAddrs: ['/ip4/0.0.0.0/udp/4001/quic', '/ip4/0.0.0.0/udp/4001/quic-v1'] } }, 'network.listen', ['/ip4/0.0.0.0/udp/4001/quic-v1']],
    [{ Network: { ListenAddrs: ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4003/ws'] } }, 'network.listen', ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4003/ws']],
    [{ Network: { AnnounceAddrs: ['/dns4/relay.example.org/tcp/4001', '/ip4/203.0.113.7/udp/4001/quic'] } }, 'network.announce', ['/dns4/relay.example.org/tcp/4001', '/ip4/203.0.113.7/udp/4001/quic-v1']],
    [{ ConnMgr: { ConnMgrLo: 100, ConnMgrHi: 200 } }, 'connections', { low: 100, high: 200 }],
    [{ ConnMgr: { ConnMgrHi: 9000 } }, 'connections', { low: 512, high: 9000, max: 18_000 }],
    [{ RelayV2: { Resources: { ReservationTTL: 1_800_000_000_000 } } }, 'relay.limits.reservations.ttl', '30m'],
    [{ RelayV2: { Resources: { MaxReservations: 7 } } }, 'relay.limits.reservations.max', 7],
    [{ RelayV2: { Resources: { MaxReservationsPerIP: 3 } } }, 'relay.limits.reservations.perPrefix', 3],
    [{ RelayV2: { Resources: { MaxReservationsPerASN: 5 } } }, 'relay.limits.reservations.perAsn', 5],
    [{ RelayV2: { Resources: { MaxCircuits: 4, MaxReservations: 10 } } }, 'relay.limits.circuits', { perSource: 4, perTarget: 4, max: 40, duration: '2m', bytesPerDirection: '128KiB', idle: 'unlimited' }],
    [{ RelayV2: { Resources: { Limit: { Duration: 90_000_000_000 } } } }, 'relay.limits.circuits.duration', '90s'],
    [{ RelayV2: { Resources: { Limit: { Data: 1_048_576 } } } }, 'relay.limits.circuits.bytesPerDirection', '1MiB'],
    [{ RelayV2: { Resources: { Limit: null } } }, 'relay.limits.circuits', { perSource: 16, perTarget: 16, max: 2048, duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' }],
    [{ ACL: { AllowPeers: [PEER] } }, 'relay.access.reserve', { allow: [PEER] }],
    [{ ACL: { AllowSubnets: ['10.1.2.3/8'] } }, 'relay.access.reserve', { allow: ['10.0.0.0/8'] }],
  ];
  for (const [old, key, value] of fields) {
    test(`${JSON.stringify(old)} becomes ${key}`, async () => assert.deepEqual(at((await migrated(old)).config, key), value));
  }

  test('what the old config did not say is what the old daemon had by default', async () => {
    const { config } = await migrated({});
    assert.deepEqual(at(config, 'network.listen'), ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip6/::/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']);
    assert.deepEqual(at(config, 'connections'), { low: 512, high: 768 });
    assert.deepEqual(at(config, 'relay.limits.reservations'), { ttl: '1h', max: 128, perPrefix: 8, perAsn: 32 });
    assert.equal(at(config, 'relay.access'), undefined);
  });

  test('fields count in any case and the last of two counts, as with the old daemon', async () => {
    const { result, place } = await migrate('{"relayv2": {"RESOURCES": {"maxreservations": 5, "MaxReservations": 6}}}', '--yes');
    assert.equal(result.code, 0, result.stderr);
    assert.match(await readFile(join(place, 'relay.yaml'), 'utf8'), /max: 6\n/);
  });

  test('a peer in both access lists alone may reserve: every network but those named is denied', async () => {
    const { config } = await migrated({ ACL: { AllowPeers: [PEER], AllowSubnets: ['198.51.100.0/24', '2001:db8::/32'] } });
    assert.deepEqual(at(config, 'relay.access.reserve.allow'), [PEER]);
    const deny = at(config, 'relay.access.reserve.deny') as string[];
    const denied = (text: string): boolean => {
      const address = ipaddr.parse(text);
      return deny.some((cidr) => ipaddr.parseCIDR(cidr)[0].kind() === address.kind() && address.match(ipaddr.parseCIDR(cidr)));
    };
    for (const inside of ['198.51.100.0', '198.51.100.255', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff']) {
      assert.equal(denied(inside), false, inside);
    }
    for (const outside of ['198.51.99.255', '198.51.101.0', '0.0.0.0', '255.255.255.255', '2001:db7:ffff::1', '2001:db9::', '::1', 'ffff::']) {
      assert.equal(denied(outside), true, outside);
    }
  });

  test('what has no counterpart is named, with the reason', async () => {
    const { left } = await migrated(JSON.parse(await readFile(OLD_CONFIG, 'utf8')));
    assert.deepEqual(left.toSorted(), ['Comment', 'ConnMgr.ConnMgrGrace', 'Daemon.PprofPort', 'Network.ListenAddrs[4] /ip4/0.0.0.0/udp/4003/quic-v1/webtransport', 'RelayV1', 'RelayV2.Resources.BufferSize', 'RelayV2.Resources.MaxReservationsPerPeer']);
    assert.deepEqual((await migrated({ Daemon: { PprofPort: -1 } })).left, []);
    assert.deepEqual((await migrated({ Daemon: { PromPort: 9000 } })).left, ['Daemon.PromPort']);
    const { result } = await migrate('{"RelayV1": {"Enabled": true}}');
    assert.match(result.stdout, /^ {2}RelayV1: circuit relay v1 is gone from libp2p: peers that speak nothing newer lose this relay$/m);
  });

  test('a private network keeps its key and loses QUIC', async () => {
    const swarmKey = join(dir, 'swarm.key');
    await writeFile(swarmKey, `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const { config, left } = await migrated({}, '--swarm-key', swarmKey);
    assert.equal(at(config, 'network.swarmKeyFile'), swarmKey);
    assert.deepEqual(at(config, 'network.listen'), ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']);
    assert.deepEqual(left, ['Network.ListenAddrs[0] /ip4/0.0.0.0/udp/4001/quic', 'Network.ListenAddrs[1] /ip6/::/udp/4001/quic']);
  });

  test('durations are nanoseconds, or the text that Go prints', () => {
    assert.deepEqual([120_000_000_000, '2m0s', '1h30m', '1.5s', '250ms', '1000us', 0].map(goDurationMs), [120_000, 120_000, 5_400_000, 1500, 250, 1, 0]);
    assert.deepEqual(['2', '', 'm', '2 m', '-1s', 1.5, null, true].map(goDurationMs), Array(8).fill(undefined));
  });
});

describe('relayd migrate of what the new program cannot take over', () => {
  const wrong: [text: string, message: RegExp][] = [
    ['{\n  "Network": {,}\n}', /^FILE:2:15: this is no JSON: /],
    ['{\n  "Network":', /^FILE:2:1: this is no JSON: Unexpected end of JSON input; /],
    ['[]', /^FILE:1:1: this is no JSON object; /],
    ['{"Network": 4}', /^FILE:1:13: Network: this is no object; /],
    ['{\n\t"Network": {"ListenAddrs": "/ip4/0.0.0.0/tcp/4001"}\n}', /^FILE:2:29: Network\.ListenAddrs: "\/ip4\/0\.0\.0\.0\/tcp\/4001" is not what it should be; a list of strings$/],
    ['{"Network": {"ListenAddrs": []}}', /^FILE:1:29: Network\.ListenAddrs: no address in it has a counterpart; /],
    ['{"ConnMgr": {"ConnMgrLo": "9"}}', /^FILE:1:27: ConnMgr\.ConnMgrLo: "9" is not what it should be; a whole number$/],
    ['{"ConnMgr":\n{"ConnMgrLo": 900}}', /^FILE:2:15: ConnMgr\.ConnMgrLo: 900 is more than connections\.high, which is 768 .*\(connections\.low\); /],
    ['{"ConnMgr": {"ConnMgrGrace": "soon"}}', /^FILE:1:30: ConnMgr\.ConnMgrGrace: .*; a whole number of nanoseconds/],
    ['{"RelayV2": {"Enabled": false}}', /^FILE:1:25: RelayV2\.Enabled: there is nothing to take over/],
    ['{"RelayV2": {"Enabled": "yes"}}', /^FILE:1:25: RelayV2\.Enabled: .*; true or false$/],
    ['{"RelayV2": {"Resources": {"ReservationTTL": 3600}}}', /^FILE:1:46: RelayV2\.Resources\.ReservationTTL: 0s is .*\(relay\.limits\.reservations\.ttl\); /],
    ['{"RelayV2": {"Resources": {"MaxCircuits": 0}}}', /^FILE:1:43: RelayV2\.Resources\.MaxCircuits: 0 .*\(relay\.limits\.circuits\.perSource\); /],
    ['{"RelayV2": {"Resources": {"Limit": {"Data": 0}}}}', /^FILE:1:46: RelayV2\.Resources\.Limit\.Data: with 0 the old daemon cut every circuit at once; .*"Limit": null/],
    ['{"RelayV2": {"Resources": {"Limit": {"Duration": 0}}}}', /^FILE:1:50: RelayV2\.Resources\.Limit\.Duration: with 0 /],
    ['{"RelayV2": {"Resources": {"Limit": "none"}}}', /^FILE:1:37: RelayV2\.Resources\.Limit: this is no object; /],
    [`{"ACL": {"AllowPeers": ["${PEER}", "bob"]}}`, /^FILE:1:81: ACL\.AllowPeers\[1\]: "bob" is not a peer id; /],
    ['{"ACL": {"AllowSubnets": ["10.0.0.0"]}}', /^FILE:1:27: ACL\.AllowSubnets\[0\]: "10\.0\.0\.0" is not a subnet; /],
  ];
  for (const [text, message] of wrong) {
    test(`${text.replaceAll(/\s+/g, ' ')} is refused at its place, and nothing is written`, async () => {
      const { result, place, file } = await migrate(text, '--yes');
      assert.equal(result.code, 78, result.stdout);
      assert.match(result.stderr.trimEnd().replaceAll(file, 'FILE'), message);
      await assert.rejects(readdir(place), { code: 'ENOENT' });
    });
  }
});

describe('the identity that relayd migrate takes over', () => {
  const identities = {
    ed25519: '12D3KooWBmUWfwQTPQf8i6wDJKHoJgGVM6HsEMrEjPzttVatc8R4',
    rsa: 'QmVxJnSgMdvu2cxfkRyS1eZDDuyUUUsGxzQ4sDAJfJHZZa',
    secp256k1: '16Uiu2HAmKiKgDhJc1uMqCNMQqtd9bHs1bqFKN6sjJGYnsXbzmEqA',
  };
  for (const [type, peerId] of Object.entries(identities)) {
    test(`keeps the peer id of a key of type ${type}`, async () => {
      const { result, place } = await migrate('{}', '--identity', join(FIXTURES, `${type}.identity`), '--yes');
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, new RegExp(`^peer id {3}${peerId} `, 'm'));
      assert.equal((await cli(['key', 'show', '--config', join(place, 'relay.yaml')])).stdout.trim(), peerId);
      assert.equal((await stat(join(place, 'identity.key'))).mode & 0o777, 0o600);
    });
  }

  test('is nothing when it is no key', async () => {
    const { result, place } = await migrate('{}', '--identity', OLD_CONFIG, '--yes');
    assert.equal(result.code, 78);
    assert.match(result.stderr, /--identity: \S+relay\.json \(\d+ bytes\) does not hold a libp2p private key/);
    await assert.rejects(readdir(place), { code: 'ENOENT' });
    assert.match((await migrate('{}', '--identity', join(dir, 'none'))).result.stderr, /--identity: \S+none cannot be read/);
  });

  test('without one, the peer id is said to be new', async () => {
    assert.match((await migrate('{}')).result.stdout, /^peer id {3}a new one, .*--identity FILE/m);
  });
});

describe('what relayd migrate writes', () => {
  const withKey = ['--identity', join(FIXTURES, 'ed25519.identity')];

  test('is nothing without --yes', async () => {
    const { result, place } = await migrate('{}', ...withKey);
    assert.equal(result.code, 0);
    assert.match(result.stdout, /\nNothing is written yet: the same command with --yes writes the files\.\n$/);
    await assert.rejects(readdir(place), { code: 'ENOENT' });
  });

  test('never takes the place of a config or of a key', async () => {
    const { place, file } = await migrate('{}', ...withKey, '--yes');
    const again = await cli(['migrate', file, '--config', join(place, 'relay.yaml'), '--data-dir', join(place, 'other'), ...withKey, '--yes']);
    assert.deepEqual([again.code, /--config: \S+relay\.yaml is already there and is never overwritten/.test(again.stderr)], [78, true]);
    for (const identity of [withKey, []]) {
      const other = await cli(['migrate', file, '--config', join(place, 'other.yaml'), '--data-dir', place, ...identity, '--yes']);
      assert.deepEqual([other.code, /identity\.key is already there and is never replaced/.test(other.stderr)], [78, true]);
    }
    assert.deepEqual((await readdir(place)).toSorted(), ['identity.key', 'relay.yaml']);
  });

  test('is no config when the key cannot be written', async () => {
    const dataDir = join(OLD_CONFIG, 'below a file');
    const result = await cli(['migrate', OLD_CONFIG, '--config', join(dir, 'alone.yaml'), '--data-dir', dataDir, ...withKey, '--yes']);
    assert.deepEqual([result.code, /identity\.key cannot be written/.test(result.stderr)], [78, true]);
    await assert.rejects(stat(join(dir, 'alone.yaml')), { code: 'ENOENT' });
  });

  test('needs a file to write to, and takes no options that change a config for one run', async () => {
    assert.deepEqual([(await cli(['migrate', OLD_CONFIG])).code, (await cli(['migrate', OLD_CONFIG, '--config', 'x', '--role', 'client'])).code], [64, 64]);
  });
});
