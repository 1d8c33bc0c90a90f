import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ALERTS, CLUSTER_ALERTS } from '../../../src/doctor/alerts.ts';
import { checkAll } from '../../../src/doctor/index.ts';
import type { Facts } from '../../../src/doctor/index.ts';
import { ACKNOWLEDGEMENTS } from '../../../src/lib/acknowledgements.ts';
import type { ClusterRelayRow, ClusterView } from '../../../src/lib/contracts.ts';
import { ALICE, BOB } from '../admin/fake-view.ts';
import { someCluster } from '../admin/some-cluster.ts';
import { facts, itemOf, NOW_MS, OTHER, OTHER_ADDR, row, running, SELF, verdicts } from './some-facts.ts';

const DAY_MS = 24 * 3_600_000;
const MIB = 1024 ** 2;

const PROMETHEUS = { url: 'http://127.0.0.1:9090', error: undefined, alerts: [...ALERTS, ...CLUSTER_ALERTS], relays: 2, fewestSeen: undefined, clockAheadMs: 100 };
const TIER2 = { profile: 'tier2', relay: { region: 'eu-west', alternatives: [OTHER_ADDR] }, discovery: { bootstrap: [OTHER_ADDR] } };
const SECRET_FILE = join(mkdtempSync(join(tmpdir(), 'relayd-doctor-')), 'cluster.secret');
writeFileSync(SECRET_FILE, 'ab'.repeat(32), { mode: 0o600 });
after(() => rmSync(dirname(SECRET_FILE), { recursive: true }));

/** A relay of the cluster of `someCluster`, where all is well. */
const tier3 = (coordination: object = {}): object => ({ profile: 'tier3', coordination: { secretFile: SECRET_FILE, ...coordination } });
const REDIS = { backend: 'redis', redis: { url: 'rediss://127.0.0.1:6379', passwordFile: SECRET_FILE, sentinels: ['127.0.0.1:26379', '127.0.0.1:26380', '127.0.0.1:26381'] } };
const ETCD = { backend: 'etcd', etcd: { endpoints: ['http://127.0.0.1:2379', 'http://127.0.0.1:2381', 'http://127.0.0.1:2383'] } };

function cluster(changes: Partial<ClusterView> = {}, more: Parameters<typeof running>[0] = {}): Partial<Facts> {
  const [self, alice] = someCluster().relays;
  assert.ok(self !== undefined && alice !== undefined);
  return { daemon: running({ cluster: someCluster({ relays: [self, alice, { ...alice, peer: BOB }], ...changes }), ...more }, { profile: 'tier3' }) };
}

/** The cluster, with the second relay changed. */
function other(changes: Partial<ClusterRelayRow>): Partial<Facts> {
  const [self, alice] = someCluster().relays;
  assert.ok(self !== undefined && alice !== undefined);
  return cluster({ relays: [self, { ...alice, ...changes }] });
}

/** This relay, and others whose clocks are so far ahead of its own, to within half a second. */
function clocks(...aheadMs: number[]): Partial<Facts> {
  const [self, alice] = someCluster().relays;
  assert.ok(self !== undefined && alice !== undefined);
  return cluster({ relays: [self, ...aheadMs.map((clockAheadMs, i) => ({ ...alice, peer: [ALICE, BOB][i] ?? assert.fail(), clockAheadMs, clockErrorMs: 500 }))] });
}

const FILES = facts().files as NonNullable<Facts['files']>;

const GOOD_TOKEN = { problem: undefined, realm: 'home', peer: SELF, notBeforeMs: 0, expiresAtMs: NOW_MS + 99 * DAY_MS };
const RELAY_ROW = { peer: OTHER, addr: OTHER_ADDR, state: 'reserved', source: 'manual', rttMs: 1, expiresAt: null, failures: 0, availability: 1, region: null, load: null, score: 1, draining: false } as const;

/** Whose answer to one question is what matters. */
function outside(...rows: Parameters<typeof row>[0][]): Partial<Facts> {
  return { network: { ...facts().network, rows: rows.map((changes) => row(changes)) } };
}

function files(changes: Partial<NonNullable<Facts['files']>>): Partial<Facts> {
  return { files: { ...FILES, ...changes } };
}

function dataDir(changes: Partial<(typeof FILES)['dataDir']>): Partial<Facts> {
  return files({ dataDir: { ...FILES.dataDir, ...changes } });
}

function held(count: number, role: string): Partial<Facts> {
  return { daemon: running({}, { role, client: { desired: 2, held: count } }) };
}

function series(name: string, labels: Record<string, string>, value: number): { name: string; labels: Record<string, string>; value: number } {
  return { name, labels, value };
}

const ended = (reason: string, count: number): ReturnType<typeof series> => series('relayd_relay_circuits_ended_total', { class: 'public', reason }, count);
const refused = (limit: string, count: number): ReturnType<typeof series> => series('relayd_relay_refusals_total', { class: 'public', request: 'reserve', limit }, count);
const unreachable = { addr: '/ip4/45.3.113.7/tcp/4001', guessed: false, outcome: 'unreachable' } as const;

/** What is found, which item says so and how, and what its text must have. */
const FINDINGS: [string, Facts, string, 'ok' | 'warning' | 'failed', RegExp][] = [
  ['a daemon of another config', facts({ daemon: running({}, { profile: 'tier2' }) }), 'daemon', 'failed', /runs as tier2 relay, the config says tier1 relay/],
  ['a daemon that does not answer', facts({ daemon: { state: 'unreachable', reason: 'no daemon answers at http://127.0.0.1:9' } }), 'daemon', 'failed', /--file-only/],
  ['a daemon that is not ready', facts({ daemon: running({ problems: ['a circuit through this relay itself failed: refused'] }) }), 'ready', 'failed', /itself failed/],
  ['an event loop that is late', facts({ daemon: running({}, { process: { ...processFacts(), eventLoopDelayMs: { p99: 180 } } }) }), 'event-loop', 'warning', /180 ms/],
  ['an event loop so late that work is refused', facts({ daemon: running({}, { process: { ...processFacts(), eventLoopDelayMs: { p99: 9_000 } } }) }), 'event-loop', 'failed', /maxEventLoopDelay/],
  ['an old Node', facts({ nodeVersion: 'v22.3.0' }), 'node-version', 'failed', /older than 22\.19/],
  ['a Node that nobody tests', facts({ nodeVersion: 'v25.0.0' }), 'node-version', 'warning', /22 or 24/],
  ['a clock that is behind all others', facts(outside({ relay: { region: null, names: [], clockAheadMs: 2 * DAY_MS } })), 'clock', 'failed', /this machine's clock .* it is 2 days behind/],
  ['one clock of several that differs', facts(outside({}, { relay: { region: null, names: [], clockAheadMs: -DAY_MS } })), 'clock', 'failed', /of 2 clocks .* 1 differ/],
  ['a clock that two agree with and one does not', facts(outside({}, {}, { relay: { region: null, names: [], clockAheadMs: -DAY_MS } })), 'clock', 'warning', /of 3 clocks .* 1 differ/],
  ['a statement that is a minute old', facts(outside({ relay: { region: null, names: [], clockAheadMs: -170_000 } })), 'clock', 'ok', /two minutes/],
  ['a clock by which certificates are not valid', facts(outside({ error: "the peer's certificate is not valid: it is not valid yet", relay: null, dialBacks: [] })), 'clock', 'failed', /2027-03-04T05:06:07/],
  ['a clock that Prometheus contradicts', facts({ prometheus: { ...PROMETHEUS, clockAheadMs: -10 * 60_000 }, ...outside() }), 'clock', 'failed', /10 minutes ahead/],
  ['a damaged key', facts(files({ key: { state: 'bad', problem: 'identity.keyFile: it has mode 0644' } })), 'identity-key', 'failed', /0644/],
  ['no copy of the key', facts(files({ backup: undefined })), 'identity-backup', 'warning', /relayd key backup/],
  ['a copy of another key', facts(files({ backup: { ...(FILES.backup as NonNullable<typeof FILES.backup>), peerId: OTHER } })), 'identity-backup', 'warning', /of another key/],
  ["the realm's own key on a relay", facts(files({ hasAuthorityKey: true })), 'authority-key', 'warning', /move realm\/authority\.key/],
  ['a token that expired', facts(files({ token: { ...GOOD_TOKEN, expiresAtMs: NOW_MS - DAY_MS } })), 'membership-token', 'failed', /expired on 2027-03-03/],
  ['a token whose time has not come', facts(files({ token: { ...GOOD_TOKEN, notBeforeMs: NOW_MS + DAY_MS, expiresAtMs: NOW_MS + 9 * DAY_MS } })), 'membership-token', 'failed', /valid only from/],
  ['a token that expires soon', facts(files({ token: { ...GOOD_TOKEN, expiresAtMs: NOW_MS + DAY_MS } })), 'membership-token', 'warning', /expires on/],
  ['a token that a relay does not take', facts({ ...files({ token: GOOD_TOKEN }), daemon: running({ relays: [{ ...RELAY_ROW, reason: 'held, but served as anyone: token revoked' }] }) }), 'membership-token', 'failed', /does not take it: .*token revoked/],
  ['a token of another peer', facts(files({ token: { ...GOOD_TOKEN, peer: OTHER } })), 'membership-token', 'failed', new RegExp(`for the peer ${OTHER}, and this one is ${SELF}`)],
  ['a token for whoever has it', facts(files({ token: { ...GOOD_TOKEN, peer: undefined } })), 'membership-token', 'ok', /member of home/],
  ['a token of another realm', facts(files({ token: GOOD_TOKEN }), { realm: { name: 'den' } }), 'membership-token', 'failed', /of the realm home, and realm\.name is den/],
  ['a token that is damaged', facts(files({ token: { problem: '/etc/token: damaged' } })), 'membership-token', 'failed', /damaged/],
  ['a certificate that expired', facts(files({ certificate: { file: 'a.pem', problem: undefined, expiresAtMs: NOW_MS - DAY_MS } })), 'certificate', 'failed', /expired on/],
  ['a certificate that expires soon', facts(files({ certificate: { file: 'a.pem', problem: undefined, expiresAtMs: NOW_MS + 5 * DAY_MS } })), 'certificate', 'warning', /2027-03-09/],
  ['a data directory that cannot be written', facts(dataDir({ unwritable: 'this user may not' })), 'data-dir', 'failed', /this user may not/],
  ['a data directory in memory', facts(dataDir({ lasts: 'until restart' })), 'data-dir', 'warning', /tmpfs/],
  ["a data directory in a container's layer", facts(dataDir({ lasts: 'as long as the container' })), 'data-dir', 'warning', /--volume/],
  ['a data directory that is open to others', facts(dataDir({ mode: 0o40755 })), 'data-dir', 'warning', /chmod 700/],
  ['a full disk', facts(dataDir({ freeBytes: MIB })), 'disk-space', 'failed', /1 MiB of/],
  ['a disk that is nearly full', facts(dataDir({ freeBytes: 100 * MIB })), 'disk-space', 'warning', /100 MiB of/],
  ['a relay that listens nowhere', facts({}, { network: { listen: [] } }), 'port', 'failed', /network\.listen is empty/],
  ['a port that another program has', facts({ network: { ...facts().network, rows: undefined, problem: { code: 'ADDRESS_IN_USE', message: 'port 4001 is in use' } } }), 'port', 'failed', /ss -ltnp/],
  ['a port that changes', facts({}, { network: { listen: ['/ip4/0.0.0.0/tcp/0'] } }), 'port', 'warning', /another port at every start/],
  ['a private address alone', facts({ network: { ...facts().network, ownIps: ['192.168.1.5'] } }), 'announced-addresses', 'failed', /192\.168\.1\.5.*set network\.announce/s],
  ['a private address that is meant', facts({ network: { ...facts().network, ownIps: ['192.168.1.5'] } }, { network: { listen: ['/ip4/0.0.0.0/tcp/4001'], allowPrivate: true } }), 'announced-addresses', 'warning', /allowPrivate/],
  ['a private address beside a public one', facts({}, { network: { listen: ['/ip4/0.0.0.0/tcp/4001'], announce: ['/ip4/45.3.113.7/tcp/4001', '/ip4/10.0.0.1/tcp/4001'] } }), 'announced-addresses', 'warning', /10\.0\.0\.1/],
  ['nobody to ask', facts({ network: { ...facts().network, rows: undefined, asked: [] } }), 'reachable', 'warning', /--ask/],
  ['a port that is closed', facts(outside({ dialBacks: [unreachable] })), 'reachable', 'failed', /45\.3\.113\.7.*firewall/s],
  ['a peer that is not there', facts(outside({ error: 'connection refused', dialBacks: [], relay: null })), 'reachable', 'warning', /connection refused/],
  ['one of two addresses that is closed', facts(outside({ dialBacks: [unreachable, { ...unreachable, addr: '/ip4/45.3.113.8/tcp/4001', outcome: 'reachable' }] })), 'reachable', 'warning', /and not \/ip4\/45\.3\.113\.7/],
  ['an address that works and is not told', facts(outside({ dialBacks: [{ addr: '/ip4/45.0.0.1/tcp/4001', guessed: true, outcome: 'reachable' }] })), 'reachable', 'warning', /network\.announce: \[\/ip4\/45\.0\.0\.1/],
  ['a client without relays', facts({}, { role: 'client' }), 'relays-named', 'failed', /client\.relays/],
  ['a client with one relay that wants two', facts({}, { role: 'client', client: { relays: [OTHER_ADDR], desired: 2 } }), 'relays-named', 'warning', /1 relay is named/],
  ['a client that holds nothing', facts(held(0, 'client'), { role: 'client', client: { relays: [OTHER_ADDR] } }), 'reservations-held', 'failed', /0 of 2/],
  ['a client that holds too few', facts(held(1, 'client'), { role: 'client', client: { relays: [OTHER_ADDR] } }), 'reservations-held', 'warning', /1 of 2/],
  ['a relay that is a client too, and holds nothing', facts(held(0, 'both'), { role: 'both', client: { relays: [OTHER_ADDR] } }), 'reservations-held', 'warning', /0 of 2/],
  ['a rehearsal that failed', facts({ rehearsal: { error: 'no reservation is held' } }), 'failover', 'failed', /no reservation is held/],
  ['a quick failover', facts({ rehearsal: { dropped: OTHER, heldBefore: 2, heldAfter: 1, recoveredMs: 120, tookOver: SELF } }), 'failover', 'ok', /after 0\.120 s/],
  ['a client that waits for its only relay', facts({ rehearsal: { dropped: OTHER, heldBefore: 1, heldAfter: 0, recoveredMs: 800, tookOver: OTHER } }), 'failover', 'warning', /there is no other/],
  ['anyone who may send without end', facts({}, { relay: { limits: { circuits: { bytesPerDirection: 'unlimited' } } } }), 'public-limits', 'warning', /neither a byte limit nor/],
  ['buffers beyond the memory', facts({ resources: { descriptorLimit: null, memoryLimitBytes: 256 * MIB } }), 'memory', 'failed', /buffers of 512 MiB/],
  ['a machine that is small at its limits', facts({ resources: { descriptorLimit: null, memoryLimitBytes: 700 * MIB } }), 'memory', 'warning', /would need about/],
  ['too few descriptors', facts({ resources: { descriptorLimit: 1024, memoryLimitBytes: 8192 * MIB } }), 'descriptors', 'failed', /LimitNOFILE/],
  ['circuits that limits cut', facts({ daemon: running({ series: [ended('byte limit', 40), ended('closed by source', 60)] }) }), 'circuit-limits', 'warning', /40 of 100/],
  ['reservations that were refused', facts({ daemon: running({ series: [refused('reservations.max', 7)] }) }), 'reservation-slots', 'warning', /7 reservations .* refused/],
  ['users behind one address', facts({ daemon: running({ series: [refused('reservations.perPrefix', 9)] }) }), 'shared-addresses', 'warning', /9 by reservations\.perPrefix/],
  ['users behind one address, over a cluster', facts({ daemon: running({ series: [refused('cluster.reservations.perPrefix', 9)] }) }), 'shared-addresses', 'warning', /9 by cluster\.reservations\.perPrefix/],
  ['metrics that nobody reads', facts({ daemon: running({}, { metrics: { lastScrapeSecondsAgo: null } }) }), 'metrics-scraped', 'warning', /3600 s ago/],
  ['metrics that nobody reads any more', facts({ daemon: running({}, { metrics: { lastScrapeSecondsAgo: 900 } }) }), 'metrics-scraped', 'warning', /900 s ago/],
  ['a Prometheus without rules', facts({ prometheus: { ...PROMETHEUS, alerts: ['Watchdog'] } }), 'alert-rules', 'failed', /none of the/],
  ['a Prometheus with some rules', facts({ prometheus: { ...PROMETHEUS, alerts: ALERTS.slice(1) } }), 'alert-rules', 'warning', new RegExp(`has not ${ALERTS[0]}`)],
  ['a Prometheus that is not there', facts({ prometheus: { ...PROMETHEUS, error: 'fetch failed' } }), 'alert-rules', 'failed', /fetch failed/],
  ['a relay of tier 2 that names no other', facts({}, { profile: 'tier2' }), 'relay-lists', 'failed', /no other relay is named/],
  ['a relay that does not name this one', facts(outside({ relay: { region: 'us-east', names: [], clockAheadMs: 0 } }), TIER2), 'relay-lists', 'failed', /does not name this relay/],
  ['a relay that does not name another one', facts({}, { ...TIER2, relay: { region: 'eu-west' } }), 'relay-lists', 'failed', /this relay does not name 12D3/],
  ['a relay that does not answer', facts(outside({ error: 'refused', relay: null, dialBacks: [] }), TIER2), 'relay-lists', 'failed', /does not answer/],
  ['a standard relay', facts(outside({ relay: null }), TIER2), 'relay-lists', 'warning', /does not tell whom it knows/],
  ['a relay without a region', facts({}, { ...TIER2, relay: { alternatives: [OTHER_ADDR] } }), 'regions', 'warning', /relay\.region is not set/],
  ['two relays in one region', facts(outside({ relay: { region: 'eu-west', names: [], clockAheadMs: 0 } }), TIER2), 'regions', 'warning', /eu-west too/],
  ['two relays at one address', facts({ daemon: running({}, { profile: 'tier2', addrs: [`/ip4/45.51.100.4/tcp/4002/p2p/${SELF}`] }) }, TIER2), 'relay-addresses', 'failed', /same IP address/],
  ['two relays in one network', facts({ daemon: running({}, { profile: 'tier2', addrs: [`/ip4/45.51.100.9/tcp/4001/p2p/${SELF}`] }) }, TIER2), 'relay-addresses', 'warning', /45\.51\.100\.9 and 45\.51\.100\.4/],
  ['limits that are not known to be of each relay', facts({}, TIER2), 'independent-limits', 'warning', /N times a limit/],
  ['a Prometheus that watches one relay of two', facts({ prometheus: { ...PROMETHEUS, relays: 1 } }, TIER2), 'relays-monitored', 'warning', /1 of 2/],
  ['a Prometheus without the rules of a cluster', facts({ prometheus: { ...PROMETHEUS, alerts: [...ALERTS] } }, tier3()), 'alert-rules', 'warning', /has not RelaydClusterStoreAway/],
  ['a relay of tier 3 that shares nothing', facts({}, { profile: 'tier3', coordination: { backend: 'none' } }), 'cluster-store', 'failed', /backend is none/],
  ['a store that is away', facts(cluster({ backend: 'redis', problem: 'Redis at 127.0.0.1:6379: no answer within 1000 ms' }), tier3(REDIS)), 'cluster-store', 'failed', /no answer within/],
  ['a store that anybody can use', facts(cluster({ backend: 'etcd' }), tier3(ETCD)), 'cluster-store', 'warning', /etcd answers, but whoever reaches it .* no password/],
  ['a store without TLS', facts({}, tier3({ backend: 'redis', allowPlaintext: true, redis: { url: 'redis://store.example.org', passwordFile: SECRET_FILE } })), 'cluster-store', 'warning', /without TLS/],
  ['a store that is as it should be', facts(cluster({ backend: 'redis' }), tier3(REDIS)), 'cluster-store', 'ok', /answers, with a password, over TLS/],
  ['relays that gossip', facts(cluster(), tier3()), 'cluster-store', 'ok', /tell each other/],
  ['one Redis', facts({}, tier3({ backend: 'redis' })), 'cluster-redundancy', 'warning', /one Redis; while it is away/],
  ['a Redis with two sentinels', facts({}, tier3({ ...REDIS, redis: { sentinels: ['127.0.0.1:26379', '127.0.0.1:26380'] } })), 'cluster-redundancy', 'warning', /2 sentinels/],
  ['a Redis with three sentinels', facts({}, tier3(REDIS)), 'cluster-redundancy', 'ok', /3 sentinels/],
  ['a Redis Cluster', facts({}, tier3({ backend: 'redis', redis: { nodes: ['redis://127.0.0.1:7001', 'redis://127.0.0.1:7002'] } })), 'cluster-redundancy', 'ok', /3 nodes/],
  ['one etcd', facts({}, tier3({ backend: 'etcd' })), 'cluster-redundancy', 'warning', /one endpoint/],
  ['three of etcd', facts({}, tier3(ETCD)), 'cluster-redundancy', 'ok', /3 endpoints/],
  ['two relays that gossip', facts(other({}), tier3()), 'cluster-redundancy', 'warning', /one other relay is there/],
  ['a relay whose config names one other', facts({}, tier3({ relays: [OTHER_ADDR] })), 'cluster-redundancy', 'warning', /one other relay is named/],
  ['three relays that gossip', facts(cluster(), tier3()), 'cluster-redundancy', 'ok', /2 other relays are there/],
  ['a relay that should be in the cluster', facts(cluster({ relays: someCluster().relays.slice(0, 1) }), tier3({ relays: [OTHER_ADDR] })), 'cluster-members', 'failed', new RegExp(`${OTHER} .*is not in the cluster`)],
  ['somebody who does not hold the secret', facts(cluster({}, { series: [series('relayd_cluster_link_handshakes_total', { outcome: 'refused' }, 3), series('relayd_cluster_records_rejected_total', { reason: 'secret' }, 2)] }), tier3()), 'cluster-members', 'warning', /5 times somebody came/],
  ['a cluster that is all there', facts(cluster(), tier3()), 'cluster-members', 'ok', /3 relays/],
  ['a change of the secret that is not finished', facts(other({ secrets: ['4e5f6a7b', '0a1b2c3d'] }), tier3()), 'cluster-secret', 'warning', new RegExp(`0a1b2c3d is spoken by ${SELF} and accepted by all; 4e5f6a7b is spoken by ${ALICE} and not accepted by ${SELF}`)],
  ['one secret', facts(cluster(), tier3()), 'cluster-secret', 'ok', /one secret 0a1b2c3d/],
  ['a relay with other limits', facts(other({ agrees: false }), tier3()), 'cluster-agreement', 'failed', new RegExp(`${ALICE} has other limits`)],
  ['relays that agree', facts(cluster(), tier3()), 'cluster-agreement', 'ok', /same limits/],
  ['a relay without a connection to another', facts(other({ linked: false }), tier3()), 'cluster-links', 'failed', new RegExp(`no connection to ${ALICE}`)],
  ['a relay that sees fewer than this one', facts({ ...cluster(), prometheus: { ...PROMETHEUS, fewestSeen: 2 } }, tier3()), 'cluster-links', 'failed', /one of the 3 relays sees 2/],
  ['relays that all see each other', facts({ ...cluster(), prometheus: { ...PROMETHEUS, fewestSeen: 3 } }, tier3()), 'cluster-links', 'ok', /each of the 3 relays sees all/],
  ['a relay of three whose clock is off', facts(clocks(35_000, 10), tier3()), 'cluster-clock', 'warning', new RegExp(`of 3 relays' clocks, by the one in the middle: that of ${ALICE} is 35 seconds ahead set up`)],
  ['this relay\'s clock, when the two others agree', facts(clocks(-7_300_000, -7_299_990), tier3()), 'cluster-clock', 'warning', /in the middle: that of this relay is 2 hours ahead set up/],
  ['two relays whose clocks differ', facts(clocks(180_000), tier3()), 'cluster-clock', 'warning', new RegExp(`that of ${ALICE} is 3 minutes ahead; which of the two is right`)],
  ['clocks that may differ by no more than the way takes', facts(clocks(2_500, 20), tier3()), 'cluster-clock', 'ok', /of 3 relays agree/],
  ['no limit over the cluster', facts({}, { ...tier3({ backend: 'gossip' }), profile: 'tier2' }), 'cluster-limits', 'warning', /N times/],
  ['limits over the cluster', facts({}, tier3()), 'cluster-limits', 'ok', /7 limits/],
  ['limits over the cluster that all relays together can reach', facts(cluster(), tier3({ limits: { reservations: { perPrefix: 24 } } })), 'cluster-limits', 'ok', /7 limits/],
  ['a limit over the cluster that its relays never reach', facts(cluster(), tier3({ limits: { reservations: { perPrefix: 25 } } })), 'cluster-limits', 'warning', /perPrefix is 25 over the cluster, and 8 at each of 3 relays/],
  ['a Prometheus that knows two relays of three', facts({ ...cluster(), prometheus: PROMETHEUS }, tier3()), 'cluster-monitored', 'warning', /2 of 3/],
];

function processFacts(): Extract<Facts['daemon'], { state: 'running' }>['status']['process'] {
  return { pid: 1, node: 'v24.1.0', eventLoopDelayMs: { p99: 1 }, descriptorLimit: 65_536, memoryLimitBytes: 8 * 1024 * MIB };
}

describe('the checklist', () => {
  for (const [what, given, name, status, text] of FINDINGS) {
    it(`names ${name} for ${what}: ${status}`, () => {
      const found = itemOf(given, name);
      assert.equal(found.status, status, found.reason);
      assert.match(`${found.reason} ${found.advice}`, text);
    });
  }

  it('compares no clocks where no other relay has told its time', () => {
    const items = checkAll(facts(other({ clockAheadMs: null, clockErrorMs: null }), tier3())).flatMap(({ items: some }) => some.map(({ item }) => item));
    assert.deepEqual([items.includes('cluster-members'), items.includes('cluster-clock')], [true, false]);
  });

  it('says of everything that is not ok what to do, and of nothing that is', () => {
    for (const [, given, name] of FINDINGS) {
      const { status, advice } = itemOf(given, name);
      assert.equal(advice === '', status === 'ok', name);
    }
  });

  it('finds nothing at a relay that is as it should be', () => {
    const well = facts({ daemon: running(), prometheus: PROMETHEUS });
    assert.deepEqual(Object.entries(verdicts(well)).filter(([, status]) => status !== 'ok'), []);
  });

  it('finds nothing at two relays of tier 2 that are as they should be', () => {
    const well = facts({ daemon: running({}, { profile: 'tier2' }), prometheus: PROMETHEUS }, { ...TIER2, doctor: { acknowledge: ['independent-limits'] } });
    assert.deepEqual(Object.entries(verdicts(well)).filter(([, status]) => status !== 'ok'), []);
    assert.match(itemOf(well, 'independent-limits').reason, /acknowledged/);
  });

  it('finds nothing at three relays of tier 3 that are as they should be', () => {
    for (const backend of [{}, REDIS]) {
      const well = facts({ ...cluster(), prometheus: { ...PROMETHEUS, relays: 3, fewestSeen: 3 } }, tier3(backend));
      assert.deepEqual(Object.entries(verdicts(well)).filter(([, status]) => status !== 'ok'), []);
    }
  });

  it('asks nothing of a cluster where there is none', () => {
    const none = [facts({ daemon: running() }), facts({ daemon: running({}, { profile: 'tier2' }) }, TIER2), facts({}, { profile: 'tier3', role: 'client', client: { relays: [OTHER_ADDR] } })];
    assert.deepEqual(none.flatMap((given) => Object.keys(verdicts(given)).filter((name) => name.startsWith('cluster'))), []);
  });

  it('is not asked to overlook a failure', () => {
    const closed = facts(outside({ dialBacks: [unreachable] }), { doctor: { acknowledge: ['reachable'] } });
    assert.equal(itemOf(closed, 'reachable').status, 'failed');
  });

  it('has an item for every word that can be acknowledged', () => {
    const all = new Set([facts({ daemon: running() }, TIER2), facts({}, tier3(REDIS)), facts(files({ hasAuthorityKey: true }))].flatMap((given) => Object.keys(verdicts(given))));
    assert.deepEqual(ACKNOWLEDGEMENTS.filter((word) => !all.has(word)), []);
  });

  it('leaves out what is of files where the daemon is elsewhere', () => {
    const names = Object.keys(verdicts(facts({ daemon: running(), files: undefined })));
    assert.deepEqual(names.filter((name) => ['identity-key', 'identity-backup', 'data-dir', 'disk-space'].includes(name)), []);
  });

  it('asks for alert rules that there are', () => {
    const rules = readFileSync(new URL('../../../configs/prometheus/alert-rules.yaml', import.meta.url), 'utf8');
    assert.deepEqual([...ALERTS, ...CLUSTER_ALERTS].filter((name) => !rules.includes(`- alert: ${name}\n`)), []);
  });

  it('is described item by item', () => {
    const docs = readFileSync(new URL('../../../docs/reference/doctor.md', import.meta.url), 'utf8');
    const names = new Set(['config', ...FINDINGS.flatMap(([, given]) => Object.keys(verdicts(given)))]);
    const described = [...docs.matchAll(/^\| `([a-z][a-z-]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(new Set(described), names);
    assert.equal(described.length, names.size);
  });
});
