import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import { LEASE_MS } from '../../src/coordination/backend.ts';
import type { RelayNode } from '../../src/index.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import { RelayNode as Node } from '../../src/node/index.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { metric } from '../support/nodes.ts';
import { RelayCluster, seenBy, untilMeet } from '../support/relay-cluster.ts';
import { PATIENCE_MS, until } from '../support/waiting.ts';
import type { Answer, WirePeer } from '../support/wire-peer.ts';

const OLD = '0d'.repeat(32);
const NEW = '4e'.repeat(32);

/** What stands in the file before, and after each step of a change. */
const STEPS = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]] as const;

/** Far below a beat: what is gone for a moment is seen. */
const LOOK_EVERY_MS = 20;

const secretsOf = (relay: RelayNode): string[][] => relay.view.cluster().relays.map(({ secrets }) => secrets);

describe('the secret of a cluster that is changed while it works', { timeout: 120_000 }, () => {
  const NAMES = ['a', 'b', 'c'] as const;
  let dir: string;
  let cluster: RelayCluster;
  let relays: RelayNode[];
  /** Its operator forgot it. */
  let left: RelayNode;

  const fileOf = (name: string): string => join(dir, `${name}.secret`);
  const write = (name: string, secrets: readonly string[]): Promise<void> => writeFile(fileOf(name), `${secrets.join('\n')}\n`, { mode: 0o600 });

  async function start(name: string): Promise<RelayNode> {
    await write(name, STEPS[0]);
    return cluster.start(name, { coordination: { secretFile: fileOf(name) } });
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-secrets-'));
    cluster = await RelayCluster.create({ backend: 'gossip' });
    relays = [];
    for (const name of NAMES) relays.push(await start(name));
    left = await start('left');
    await untilMeet([...relays, left]);
  });

  after(async () => {
    await cluster.stopAll();
    await rm(dir, { recursive: true, force: true });
  });

  /** Relays of the three that one of the three did not see at some time. */
  function watch(): { missed: Set<string>; end: () => void } {
    const missed = new Set<string>();
    const timer = setInterval(() => {
      for (const relay of relays) relays.filter(({ peerId }) => !seenBy(relay).includes(peerId)).forEach(({ peerId }) => missed.add(peerId));
    }, LOOK_EVERY_MS);
    return { missed, end: () => clearInterval(timer) };
  }

  it('costs no circuit, no reservation and no relay, and cuts off who has the old one alone', async () => {
    const [at, through] = relays as [RelayNode, RelayNode];
    const reserved = [await cluster.reserved(at), await cluster.reserved(relays[2] as RelayNode)] as [WirePeer, WirePeer];
    const source = await cluster.peer(through);
    await until(async () => (await source.connectTo(reserved[1].peerId)).status === Status.OK, 'the reservations to be known');
    let opened: Answer | undefined;
    await until(async () => (opened = await source.connectTo(reserved[0].peerId)).status === Status.OK, 'the other one to be known too');
    const { stream: near } = opened as Answer;
    const { stream: far } = await reserved[0].nextIncoming();
    const [atNear, atFar] = [new ByteReader(near), new ByteReader(far)];
    const reservations = (): string[][] => relays.map(({ view }) => view.reservations().map(({ peer }) => peer));
    const earlier = reservations();
    const watched = watch();
    let bytes = 0;
    try {
      for (const step of STEPS.slice(1)) {
        for (const [i, relay] of relays.entries()) {
          await write(NAMES[i] ?? '', step);
          assert.deepEqual(await relay.reload(), { changed: ['coordination.secretFile'], restartNeeded: [] });
          near.send(new Uint8Array(100));
          far.send(new Uint8Array(100));
          bytes += 100;
          await Promise.all([atFar.has(bytes), atNear.has(bytes)]);
        }
        const own = secretsOf(at)[0] ?? [];
        assert.equal(own.length, step.length);
        await until(() => relays.every((relay) => secretsOf(relay).filter((secrets) => secrets.join() === own.join()).length === relays.length), 'each relay to have heard that all are through');
        assert.equal((await source.connectTo(reserved[1].peerId)).status, Status.OK, 'circuits go from relay to relay');
      }
      const others = (): string[] => relays.map(({ peerId }) => peerId).sort();
      await until(() => relays.every((relay) => seenBy(relay).join() === others().join()), 'the one with the old secret to be gone', LEASE_MS + PATIENCE_MS);
      await until(() => left.view.cluster().relays.length === 1, 'it to be alone', LEASE_MS + PATIENCE_MS);
      await untilMeet(relays);
    } finally {
      watched.end();
    }
    assert.deepEqual([...watched.missed], []);
    assert.deepEqual(reservations(), earlier);
    assert.equal((await reserved[0].reserve()).status, Status.OK);
    near.send(new Uint8Array(100));
    await atFar.has(bytes + 100);
    await until(async () => (await metric(left, 'relayd_cluster_link_handshakes_total{outcome="refused"}')) > 0, 'it to be told why');
    assert.deepEqual((await Promise.all(relays.map((relay) => metric(relay, 'relayd_cluster_links')))), [2, 2, 2]);
  });

  it('stays as it is when the file is wrong, and the line is named', async () => {
    const [relay] = relays as [RelayNode];
    const earlier = secretsOf(relay);
    await write('a', [NEW, 'not a secret']);
    await assert.rejects(relay.reload(), (error) => error instanceof RelaydError && error.code === 'CONFIG_INVALID' && error.message.includes(`${fileOf('a')}:2 is not the secret of a cluster`));
    assert.deepEqual(secretsOf(relay), earlier);
    await write('a', [NEW]);
    assert.deepEqual(await relay.reload(), { changed: [], restartNeeded: [] });
  });
});

describe('a relay whose secret changes', { timeout: 60_000 }, () => {
  let dir: string;
  let node: RelayNode;
  let lines: string[];
  /** Reads the configuration with a file that is right; a test changes that afterwards. */
  let change: () => Promise<void>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-secret-'));
    const secretFile = join(dir, 'secret');
    await writeFile(secretFile, OLD, { mode: 0o600 });
    lines = [];
    const log = pino({ level: 'info', base: undefined }, { write: (line: string) => void lines.push(line) });
    const inline = { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true }, dataDir: join(dir, 'data'), admin: { listen: '127.0.0.1:0' }, relay: { maxEventLoopDelay: 'unlimited' }, coordination: { backend: 'gossip', secretFile } };
    node = new Node(assertConfig(loadConfig({ inline })), {
      log,
      reloadConfig: async () => {
        const loaded = loadConfig({ inline });
        await change();
        return loaded;
      },
    });
    await node.start();
  });

  after(async () => {
    await node.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const said = (event: string): Record<string, unknown>[] => lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['event'] === event);

  it('says so once, by short names', async () => {
    change = () => writeFile(join(dir, 'secret'), `${NEW}\n${OLD}\n`);
    await node.reload();
    await node.reload();
    const [[speaks, ...accepts] = []] = secretsOf(node);
    assert.deepEqual(said('secret-changed').map((line) => [line['level'], line['speaks'], line['accepts']]), [[30, speaks, accepts]]);
    assert.ok(!lines.join('').includes(OLD) && !lines.join('').includes(NEW));
  });

  it('keeps it when the file goes wrong after it was checked', async () => {
    const earlier = secretsOf(node);
    change = () => writeFile(join(dir, 'secret'), 'half of i');
    await node.reload();
    assert.deepEqual(secretsOf(node), earlier);
    assert.match(String(said('secret-kept')[0]?.['error']), /secret:1 is not the secret of a cluster; a line with 64 hex digits/);
  });
});
