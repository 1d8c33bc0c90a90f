import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createAuthority } from '../../src/realm/index.ts';
import { assertFailed, assertOk, assertWarned, examine } from '../support/doctor.ts';
import { Fleet, untilHeld } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';
import { until } from '../support/waiting.ts';
import { cli } from '../unit/cli/run-cli.ts';

/** Setups that are really broken, each in one way: the doctor names that and nothing else. What takes a network of its own is in doctor-outside.test.ts. */

const TIMEOUT = { timeout: 120_000 };
const DAY_MS = 24 * 3_600_000;
const SMALL_LIMIT = 512;

const onLoopback = (port: number, host = '127.0.0.1'): object => ({ listen: [`/ip4/${host}/tcp/${port}`], allowPrivate: true });

function missing(program: string, debianPackage: string, ask = '--version'): string | false {
  return spawnSync(program, [ask]).error === undefined ? false : `${program} is not installed: apt-get install ${debianPackage}`;
}

/** @throws Error with what it wrote to stderr */
async function relayd(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli([...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

function addrOf({ ready }: Running): string {
  return ready.addrs[0] ?? '';
}

describe('the doctor on a config alone', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.create();
  });

  after(() => fleet.stopAll());

  /** A relay on a port of its own that lacks nothing but what a test takes away. */
  async function healthy(name: string, config: Parameters<Fleet['configure']>[1] = {}): Promise<string> {
    await fleet.configure(name, { role: 'relay', ...config, network: { ...onLoopback(await freePort()), ...config.network } });
    return fleet.configFile(name);
  }

  it('fails nothing where nothing is wrong, and says that no daemon runs', TIMEOUT, async () => {
    const found = await examine(await healthy('well'));
    assertFailed(found, []);
    assert.match(assertOk(found, 'daemon').reason, /none runs with this config/);
    assertOk(found, 'port');
    assertOk(found, 'memory');
  });

  it('names config for a config that is wrong, with file, line and key', TIMEOUT, async () => {
    const file = await healthy('typo', { relay: { limits: { reservations: { maximum: 3 } } } });
    const found = await examine(file);
    assert.match(assertFailed(found, ['config']).reason, /typo\.yaml:\d+:\d+: relay\.limits\.reservations\.maximum/);
  });

  it('names config for a secret that others can read', TIMEOUT, async () => {
    const tokenFile = fleet.configFile('token-of-admin');
    await writeFile(tokenFile, 'a token of sixteen or more', { mode: 0o644 });
    const found = await examine(await healthy('open-token', { admin: { listen: '127.0.0.1:0', tokenFile } }));
    assert.match(assertFailed(found, ['config']).reason, /admin\.tokenFile.*chmod 600/);
  });

  it('names port for a port that another program has', TIMEOUT, async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const found = await examine(await healthy('taken', { network: onLoopback((other.address() as AddressInfo).port) }));
      assert.match(assertFailed(found, ['port']).reason, /in use by another program/);
      assert.equal(found.items.has('reachable'), false);
    } finally {
      other.close();
    }
  });

  it('names announced-addresses for a private address that is announced', TIMEOUT, async () => {
    const found = await examine(await healthy('private', { network: { allowPrivate: false, announce: ['/ip4/192.168.1.5/tcp/4001'] } }), ['--file-only']);
    assert.match(assertFailed(found, ['announced-addresses']).reason, /192\.168\.1\.5/);
  });

  it('names identity-key for a key that others can read', TIMEOUT, async () => {
    const file = await healthy('open-key');
    await fleet.peerId('open-key');
    await chmod(join(fleet.dataDir('open-key'), 'identity.key'), 0o644);
    assert.match(assertFailed(await examine(file), ['identity-key']).reason, /mode 0644/);
  });

  it('names identity-key for a key that is damaged', TIMEOUT, async () => {
    const file = await healthy('damaged-key');
    await fleet.peerId('damaged-key');
    await writeFile(join(fleet.dataDir('damaged-key'), 'identity.key'), 'not a key', { mode: 0o600 });
    assert.match(assertFailed(await examine(file), ['identity-key']).reason, /does not hold a libp2p private key/);
  });

  it('names identity-backup until relayd key backup has copied the key, and again when there is another', TIMEOUT, async () => {
    const file = await healthy('backup');
    const peerId = await fleet.peerId('backup');
    assertWarned(await examine(file), 'identity-backup');
    const copy = fleet.configFile('copy-of-key');
    const { sameDisk, ...record } = JSON.parse(await relayd('key', 'backup', copy, '--json', '--config', file)) as Record<string, unknown>;
    assert.deepEqual([record['peerId'], record['file'], sameDisk], [peerId, copy, true]);
    assert.equal((await stat(copy)).mode & 0o777, 0o600);
    const keyFile = join(fleet.dataDir('backup'), 'identity.key');
    assert.deepEqual(await readFile(copy), await readFile(keyFile));
    assertOk(await examine(file), 'identity-backup');

    await relayd('key', 'new', '--set', `identity.keyFile=${keyFile}.2`, '--config', file);
    assert.match(assertWarned(await examine(file, ['--set', `identity.keyFile=${keyFile}.2`]), 'identity-backup').reason, /of another key/);
    await assert.rejects(relayd('key', 'backup', copy, '--set', `identity.keyFile=${keyFile}.2`, '--config', file), /already there and holds something else/);
  });

  it('names memory for limits that are larger than the memory', TIMEOUT, async () => {
    const found = await examine(await healthy('greedy', { relay: { limits: { memory: { total: '900GiB' } } } }));
    assert.match(assertFailed(found, ['memory']).reason, /921600 MiB/);
  });

  it('names descriptors for a limit of open files that is too low', { ...TIMEOUT, skip: missing('prlimit', 'util-linux') }, async () => {
    const found = await examine(await healthy('few-files'), [], (argv) => ['prlimit', `--nofile=${SMALL_LIMIT}:${SMALL_LIMIT}`, ...argv]);
    assert.match(assertFailed(found, ['descriptors']).reason, new RegExp(`is ${SMALL_LIMIT} open files`));
  });

  it('names membership-token for a token that expired, and for one of another realm', TIMEOUT, async () => {
    const dataDir = fleet.dataDir('authority');
    await mkdir(dataDir, { mode: 0o700 });
    const authority = await createAuthority(dataDir, 'home', { clock: { wall: () => Date.now() - 9 * DAY_MS } });
    const tokenFile = fleet.configFile('member-token');
    await writeFile(tokenFile, (await authority.issue({ expiresMs: DAY_MS, uses: ['reserve'] })).token, { mode: 0o600 });
    const file = await healthy('member', { role: 'client', client: { relays: [`/ip4/127.0.0.1/tcp/1/p2p/${await fleet.peerId('well')}`], desired: 1 }, realm: { name: 'home', authority: authority.publicKey, tokenFile } });
    assert.match(assertFailed(await examine(file, ['--file-only']), ['membership-token']).reason, /expired on/);
    const stranger = await createAuthority(fleet.dataDir('stranger'), 'home');
    assert.match(assertFailed(await examine(file, ['--file-only', '--set', `realm.authority=${stranger.publicKey}`]), ['membership-token']).reason, /not signed by/);
  });

  it('names authority-key where the key of a realm lies on a relay', TIMEOUT, async () => {
    const file = await healthy('authority');
    const examined = await examine(file);
    assertWarned(examined, 'authority-key');
  });

  it('names relays-named for a client that can find no relay', TIMEOUT, async () => {
    await fleet.configure('lonely', { role: 'client' });
    assertFailed(await examine(fleet.configFile('lonely')), ['relays-named']);
  });

  it('names certificate for one that expires in five days', { ...TIMEOUT, skip: missing('openssl', 'openssl', 'version') }, async () => {
    const [certFile, keyFile] = [fleet.configFile('certificate'), fleet.configFile('certificate-key')];
    const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '5', '-subj', '/CN=relay.example.org', '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    await chmod(keyFile, 0o600);
    const file = await healthy('secure', { network: { websocket: { certFile, keyFile } } });
    assert.match(assertWarned(await examine(file, ['--file-only']), 'certificate').reason, /expires on/);
  });

  it('prints for people what was found, what to do, and the count', TIMEOUT, async () => {
    const text = await relayd('doctor', '--file-only', '--config', fleet.configFile('backup'));
    assert.match(text, /^Network\n {2}ok +port +fixed: /m);
    assert.match(text, /^ {2}WARNING +alert-rules +.*\n +-> relayd doctor --prometheus URL/m);
    assert.match(text, /\n\d+ ok, \d+ warnings?, 0 failed\n$/);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /\u001b/);
  });
});

describe('the doctor on a daemon', () => {
  let fleet: Fleet;
  let relay: Running;
  /** The address of another relay. */
  let ask: string;

  before(async () => {
    fleet = await Fleet.create();
    const [first, other] = await Promise.all([startRelay('relay'), startRelay('witness')]);
    [relay, ask] = [first, addrOf(other)];
  }, TIMEOUT);

  after(() => fleet.stopAll());

  const startRelay = async (name: string, config: object = {}): Promise<Running> => fleet.start(name, { role: 'relay', network: onLoopback(await freePort()), ...config });
  const startClient = (name: string, relays: readonly Running[], config: object = {}): Promise<Running> => fleet.start(name, { role: 'client', client: { relays: relays.map(addrOf), desired: relays.length }, ...config });

  it('fails nothing at a relay that another one reaches, and says that it is about the daemon', TIMEOUT, async () => {
    const found = await examine(fleet.configFile('relay'), ['--ask', ask]);
    assertFailed(found, []);
    assert.match(assertOk(found, 'daemon').reason, /runs at http/);
    assert.match(assertOk(found, 'reachable').reason, /peers reach \/ip4\/127\.0\.0\.1\/tcp\/\d+ \(1 asked\)/);
    assertOk(found, 'clock');
    assertOk(found, 'ready');
    assert.match(found.items.get('metrics-scraped')?.reason ?? '', /nothing has collected/);
    await fetch(`${relay.ready.admin}/metrics`, { headers: { accept: 'text/plain;version=0.0.4' } });
    assertOk(await examine(fleet.configFile('relay')), 'metrics-scraped');
  });

  it('names daemon for one that was killed, and for one that runs with another config', TIMEOUT, async () => {
    await startRelay('killed');
    await fleet.kill('killed');
    assert.match(assertFailed(await examine(fleet.configFile('killed')), ['daemon']).reason, /no daemon answers at .* which is gone/);
    assertFailed(await examine(fleet.configFile('relay'), ['--role', 'both']), ['daemon']);
  });

  it('says nothing of files where the daemon may be on another machine', TIMEOUT, async () => {
    await fleet.configure('elsewhere', { role: 'relay', network: onLoopback(await freePort()) });
    const found = await examine(fleet.configFile('elsewhere'), ['--admin', relay.ready.admin]);
    assertFailed(found, []);
    assert.deepEqual(['identity-key', 'identity-backup', 'data-dir', 'disk-space'].filter((name) => found.items.has(name)), []);
  });

  it('names clock for a machine whose clock is half an hour ahead, or days behind', { ...TIMEOUT, skip: missing('faketime', 'faketime') }, async () => {
    await fleet.configure('untimely', { role: 'relay', network: onLoopback(await freePort()) });
    const at = (offset: string): ReturnType<typeof examine> => examine(fleet.configFile('untimely'), ['--ask', ask], (argv) => ['env', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'faketime', '-f', offset, ...argv]);
    const ahead = await at('+30m');
    assert.match(assertFailed(ahead, ['clock']).reason, /it is 3[01] minutes ahead/);
    assertOk(ahead, 'reachable');
    // Relays' own certificates hold at any date: a clock that is so far off is told by what they say of their time.
    assert.match(assertFailed(await at('-2d'), ['clock']).reason, /it is 2 days behind/);
  });

  it('names reservation-slots for a relay that is full', TIMEOUT, async () => {
    const full = await startRelay('full', { relay: { limits: { reservations: { max: 1 } } } });
    await untilHeld(await startClient('first', [full]), 1);
    await startClient('second', [full]);
    const refused = async (): Promise<boolean> => /refusals_total\{[^}]*limit="reservations\.max",class="public"\} [1-9]/.test(await (await fetch(`${full.ready.admin}/metrics`)).text());
    await until(refused, 'the second client to be refused');
    const found = await examine(fleet.configFile('full'));
    assert.match(assertWarned(found, 'reservation-slots').reason, /refused since the start because all 1 places were taken/);
    assert.match(assertFailed(await examine(fleet.configFile('second')), ['reservations-held']).reason, /0 of 1 reservations/);
  });

  it('names membership-token for one that was revoked', TIMEOUT, async () => {
    const authority = await createAuthority(fleet.dataDir('realm-office'), 'club');
    const realm = { name: 'club', authority: authority.publicKey };
    const clubhouse = await startRelay('clubhouse', { relay: { open: false }, realm: { ...realm, revocationFile: join(fleet.dataDir('realm-office'), 'realm', 'revocations') } });
    const tokenFile = fleet.configFile('club-token');
    const { id, token } = await authority.issue({ expiresMs: 9 * DAY_MS, uses: ['reserve'] });
    await writeFile(tokenFile, token, { mode: 0o600 });
    const member = await startClient('clubber', [clubhouse], { realm: { ...realm, tokenFile } });
    await untilHeld(member, 1);
    assertOk(await examine(fleet.configFile('clubber')), 'membership-token');
    await authority.revoke(id);
    await until(async () => (await examine(fleet.configFile('clubber'))).items.get('membership-token')?.status === 'failed', 'the relay to refuse the token');
    assert.match(assertFailed(await examine(fleet.configFile('clubber')), ['membership-token', 'reservations-held']).reason, /token revoked/);
  });

  it('names circuit-limits where limits cut what users do', TIMEOUT, async () => {
    const tight = await startRelay('tight', { relay: { limits: { circuits: { bytesPerDirection: '1KiB' } } } });
    const target = await startClient('target', [tight]);
    const source = await startClient('source', [tight]);
    await untilHeld(target, 1);
    const cut = async (): Promise<number> => Number(/circuits_ended_total\{reason="byte limit",class="public"\} (\d+)/.exec(await (await fetch(`${tight.ready.admin}/metrics`)).text())?.[1]);
    await until(async () => {
      await source.daemon.post('/api/v1/ping', { peer: `${addrOf(tight)}/p2p-circuit/p2p/${target.ready.peerId}`, fresh: true }).catch(() => {});
      return (await cut()) >= 5;
    }, 'five circuits to be cut', 60_000);
    assert.match(assertWarned(await examine(fleet.configFile('tight')), 'circuit-limits').reason, /by bytes/);
  });

  it('names relay-lists and regions for relays of tier 2 that do not know each other, until they do', TIMEOUT, async () => {
    const ports = [await freePort(), await freePort()];
    const hosts = ['127.0.0.1', '127.7.0.1'];
    const full = async (i: number): Promise<string> => `/ip4/${hosts[i]}/tcp/${ports[i]}/p2p/${await fleet.peerId(`region-${i}`)}`;
    const config = async (i: number, changes: object = {}): Promise<Record<string, unknown>> => ({ profile: 'tier2', role: 'relay', relay: { region: `place-${i}`, alternatives: [await full(1 - i)] }, network: onLoopback(ports[i] ?? 0, hosts[i]), discovery: { bootstrap: [await full(1 - i)] }, doctor: { acknowledge: ['independent-limits'] }, ...changes });
    await fleet.start('region-0', await config(0));
    await fleet.start('region-1', await config(1, { discovery: {}, relay: { region: 'place-0' } }));
    const apart = await examine(fleet.configFile('region-0'));
    assert.match(assertFailed(apart, ['relay-lists']).reason, /does not name this relay/);
    assert.match(apart.items.get('regions')?.reason ?? '', /place-0 too/);

    assert.match(assertFailed(await examine(fleet.configFile('region-1')), ['relay-lists']).reason, /no other relay is named/);

    await fleet.stop('region-1');
    await fleet.start('region-1', await config(1));
    const found = await examine(fleet.configFile('region-0'));
    assertFailed(found, []);
    for (const item of ['regions', 'relay-addresses', 'independent-limits', 'reachable', 'clock']) assertOk(found, item);
  });

  it('rehearses the loss of the best relay, and the client holds as many as before', TIMEOUT, async () => {
    const relays = await Promise.all(['east', 'west'].map((name) => startRelay(name)));
    const client = await startClient('mobile', relays);
    await untilHeld(client, 2);
    const found = await examine(fleet.configFile('mobile'), ['--failover']);
    assertFailed(found, []);
    assert.match(found.items.get('failover')?.reason ?? '', /stayed reachable through 1 of 2 relays, and held 2 again after/);
    await untilHeld(client, 2);

    const refused = await examine(fleet.configFile('east'), ['--failover']);
    assert.match(assertFailed(refused, ['failover']).reason, /rehearse on a client/);
  });

  it('names alert-rules for a Prometheus that has none, and finds ours', { ...TIMEOUT, skip: prometheusMissing() }, async () => {
    const prometheus = await Prometheus.start();
    try {
      assertOk(await examine(fleet.configFile('relay'), ['--prometheus', prometheus.url]), 'alert-rules');
    } finally {
      await prometheus.stop();
    }
    assert.match(assertFailed(await examine(fleet.configFile('relay'), ['--prometheus', prometheus.url]), ['alert-rules']).reason, /cannot be asked/);
  });
});
