import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { ClusterView } from '../../src/lib/contracts.ts';
import { assertFailed, assertOk, examine } from '../support/doctor.ts';
import { Fleet } from '../support/fleet.ts';
import type { Running } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';
import { cli } from '../unit/cli/run-cli.ts';

/** The commands at a real cluster of three relays that gossip: what they show, and what the doctor finds when one of the relays is not as it should be. */

const TIMEOUT = { timeout: 120_000 };
const LIMITS = { reservations: { perPeer: 4, perPrefix: 16 } };
const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];

describe('the commands at a cluster', () => {
  let fleet: Fleet;
  let first: Running;
  const ports = new Map<Name, number>();
  const running = new Map<Name, Running>();

  before(async () => {
    fleet = await Fleet.create();
    await writeFile(fleet.configFile('secret'), 'ab'.repeat(32), { mode: 0o600 });
    for (const name of NAMES) ports.set(name, await freePort());
    first = await start('a');
    await start('b');
    await start('c');
    await untilAllSeen();
  }, TIMEOUT);

  after(() => fleet.stopAll());

  /** Each of the others is told of the first. */
  async function start(name: Name, limits: object = LIMITS): Promise<Running> {
    const relays = name === 'a' ? [] : [`/ip4/127.0.0.1/tcp/${ports.get('a')}/p2p/${await fleet.peerId('a')}`];
    const network = { listen: [`/ip4/127.0.0.1/tcp/${ports.get(name)}`], allowPrivate: true };
    const started = await fleet.start(name, { profile: 'tier3', role: 'relay', network, coordination: { cluster: 'example', secretFile: fleet.configFile('secret'), relays, limits } });
    running.set(name, started);
    return started;
  }

  async function run(name: Name, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli([...args, '--config', fleet.configFile(name)]);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** Each relay sees each other, ready and connected. */
  async function untilAllSeen(): Promise<void> {
    const seenBy = async ({ daemon }: Running): Promise<number> => {
      const { relays } = await daemon.get<ClusterView>('/api/v1/cluster');
      return relays.filter(({ state, self, linked }) => state === 'ready' && (self || linked === true)).length;
    };
    await until(async () => (await Promise.all([...running.values()].map(seenBy))).every((count) => count === NAMES.length), 'the relays to see each other', 60_000);
  }

  it('status --cluster shows the relays, what they hold, and the limits in use', TIMEOUT, async (t) => {
    const peer = await WirePeer.start();
    t.after(() => peer.stop());
    await peer.connect(first.ready.addrs[0] ?? '');
    assert.equal((await peer.reserve()).status, 100);
    await until(async () => /^reservations +1 of at most/m.test(await run('c', 'status', '--cluster')), 'another relay to know of the reservation', 60_000);
    const shown = await run('a', 'status', '--cluster', '--wide');
    assert.match(shown, /^cluster +example, by gossip\nproblem +none\nrelays +3$/m);
    assert.equal(shown.match(/ ready .* yes /g)?.length, 3);
    assert.ok(shown.includes(`${first.ready.peerId} * `));
    assert.match(shown, new RegExp(`^reservations\\.perPeer +${peer.peerId.toString()} +1 +(?:1 +4 +25 %|- +4 +-) `, 'm'), 'what all hold is known to the relay that lends the places alone');
  });

  it('relays lists the cluster, and --dnsaddr its addresses', TIMEOUT, async () => {
    assert.match(await run('b', 'relays'), /^Relays of the cluster example:\nRELAY +STATE/);
    const records = (await run('b', 'relays', '--dnsaddr', '--name', 'relays.example.org')).trim().split('\n');
    const expected = await Promise.all(NAMES.map(async (name) => `_dnsaddr.relays.example.org. 300 IN TXT "dnsaddr=/ip4/127.0.0.1/tcp/${ports.get(name)}/p2p/${await fleet.peerId(name)}"`));
    assert.deepEqual(records.toSorted(), expected.toSorted());
  });

  it('doctor finds the cluster as it should be', TIMEOUT, async () => {
    const found = await examine(fleet.configFile('b'));
    assertFailed(found, []);
    for (const item of ['cluster-store', 'cluster-redundancy', 'cluster-members', 'cluster-links', 'cluster-agreement', 'cluster-limits', 'clock']) assertOk(found, item);
  });

  it('doctor names a relay that has other limits, and one that is not there', TIMEOUT, async () => {
    await fleet.stop('c');
    await start('c', { reservations: { perPeer: 5 } });
    await untilAllSeen();
    const differs = assertFailed(await examine(fleet.configFile('a')), ['cluster-agreement']);
    assert.ok(differs.reason.includes(await fleet.peerId('c')), differs.reason);

    await fleet.stop('a');
    const missing = assertFailed(await examine(fleet.configFile('b')), ['cluster-members', 'cluster-agreement']);
    assert.ok(missing.reason.includes(await fleet.peerId('a')), missing.reason);
  });
});
