import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCommand } from '../../../../scripts/lib/processes.ts';
import type { RedisConfig } from '../../../../src/config/domain.ts';
import { loadClient } from '../../../../src/coordination/redis/connection.ts';
import { Primary } from '../../../../src/coordination/redis/primary.ts';
import { readSettings } from '../../../../src/coordination/redis/settings.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';
import { RedisServer, available } from '../../../support/stores/redis.ts';
import { SENTINEL_PRIMARY, clusterGroup, sentinelGroup } from '../../../support/stores/redis-groups.ts';
import type { ClusterGroup } from '../../../support/stores/redis-groups.ts';
import { freePort } from '../../../support/free-port.ts';
import { settled, until } from '../../../support/waiting.ts';
import { hold, take, watchGone } from './one-server.ts';

/** Sentinels need to see the loss, agree, and promote: seconds, on a busy machine more. */
const FAILOVER_MS = 60_000;

/** Of `{relayd:test}`, as CLUSTER KEYSLOT says. */
const SLOT = 12_874;
/** Some round trips of redis-cli's, which moves ten keys at a time. */
const PEERS = 200;
const HOUR_MS = 3_600_000;
/** A limit that nobody reaches. */
const MANY = 1_000_000;
const RESHARD_MS = 30_000;
/** How long commands wait for the slot at least. */
const WAITING_MS = 900;

describe('Redis with more than one server', { skip: available() ?? false }, () => {
  it('follows the sentinels to a new primary, when it is switched and when it dies, and has everything told again', async () => {
    await using group = await sentinelGroup();
    const [first, second] = group.servers;
    const relay = new RedisRelay(redisConfig({ sentinels: group.sentinels, sentinelPrimary: SENTINEL_PRIMARY }), 'a', 1);
    const countAt = (server: RedisServer): string => server.ask('hget', '{relayd:test}:holds:a', 'failover');
    try {
      await relay.start();
      assert.equal(relay.registry.problem, undefined);
      assert.equal((await take(relay, hold('failover', 3))).ok, true);
      assert.equal(countAt(first), '1');
      // As an operator does before maintenance: nothing dies, and the old primary goes on taking writes for a while.
      group.askSentinel('failover', SENTINEL_PRIMARY);
      await until(() => relay.heard.staleTimes === 1 && relay.registry.problem === undefined, 'the switched primary is used', FAILOVER_MS);
      assert.ok(relay.heard.problems.some((problem) => problem?.includes('the sentinels name another primary')), 'it has asked, and not waited until it was thrown out');
      await relay.counters.restate(new Map([['failover', 1]]));
      assert.equal((await take(relay, hold('failover', 3))).ok, true);
      assert.equal(countAt(second), '2');
      await until(() => second.ask('info', 'replication').includes('state=online'), 'the old primary follows', FAILOVER_MS);
      await second.kill();
      await until(() => relay.registry.problem !== undefined, 'the loss is noticed');
      await until(() => relay.heard.staleTimes === 2 && relay.registry.problem === undefined, 'the other one is found', FAILOVER_MS);
      await relay.counters.restate(new Map([['failover', 2]]));
      assert.equal((await take(relay, hold('failover', 3))).ok, true);
      assert.equal(countAt(first), '3');
    } finally {
      await relay.kill();
    }
  });

  it('says which sentinels do not know the primary', async () => {
    const relay = new RedisRelay(redisConfig({ sentinels: [{ host: '127.0.0.1', port: 1 }], sentinelPrimary: 'nobody' }), 'a', 1);
    try {
      await relay.start();
      assert.match(relay.registry.problem ?? '', /no Redis Sentinel says where the primary 'nobody' is \(127\.0\.0\.1:1: .*\): check coordination\.redis\.sentinels and sentinelPrimary/);
    } finally {
      await relay.kill();
    }
  });

  it('reads the files again when no sentinel answers, while the store itself is connected, and says so once', async () => {
    await loadClient();
    const config = { redis: redisConfig({ sentinels: [{ host: '127.0.0.1', port: 1 }] }), allowPlaintext: false };
    const said: unknown[] = [];
    let reads = 0;
    const primary = new Primary({ current: readSettings(config), readAgain: () => void reads++ }, 'relayd:test', systemClock, { warn: (...words: unknown[]) => void said.push(words[1]) });
    const look = (): Promise<boolean> => primary.hasMoved('127.0.0.1:6379', AbortSignal.timeout(FAILOVER_MS));
    assert.deepEqual([await look(), await look()], [false, false]);
    assert.deepEqual([reads, said], [2, ['no sentinel says whether the primary is still the same: a failover would be noticed late']]);
  });

  it('asks sentinels with a password and a user of their own, and says which keys are wrong', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'relayd-password-'));
    const file = (password: string): string => {
      writeFileSync(join(dir, password), `${password}\n`, { mode: 0o600 });
      return join(dir, password);
    };
    const server = await RedisServer.start({ args: ['--requirepass', 'of-the-store'], cliArgs: ['-a', 'of-the-store', '--no-auth-warning'] });
    const monitor = `sentinel monitor ${SENTINEL_PRIMARY} 127.0.0.1 ${server.port} 1\nsentinel auth-pass ${SENTINEL_PRIMARY} of-the-store\n`;
    const users = ['requirepass of-the-sentinel', 'user relayd on >of-relayd -@all +sentinel|get-master-addr-by-name', 'user nobody on >of-nobody -@all', ''].join('\n');
    const sentinel = await RedisServer.start({ args: ['--sentinel'], cliArgs: ['-a', 'of-the-sentinel', '--no-auth-warning'], file: () => monitor + users });
    const here = `127.0.0.1:${sentinel.port}`;
    const right = 'coordination.redis.sentinelUsername and sentinelPasswordFile';
    const ways: [Partial<RedisConfig>, string | undefined][] = [
      [{ sentinelPasswordFile: file('of-the-sentinel') }, undefined],
      [{ sentinelUsername: 'relayd', sentinelPasswordFile: file('of-relayd') }, undefined],
      [{}, `${here}: it refuses user and password: ${right} must be those of its own, where they are not the store's`],
      [{ sentinelPasswordFile: file('of-relayd') }, `${here}: it refuses user and password: ${right}`],
      [{ passwordFile: undefined }, `${here}: it asks for a password: ${right} must be set`],
      [{ sentinelUsername: 'nobody', sentinelPasswordFile: file('of-nobody') }, `${here}: its user may not ask for the primary: it needs +sentinel|get-master-addr-by-name`],
    ];
    try {
      for (const [way, problem] of ways) {
        const relay = new RedisRelay(redisConfig({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], sentinelPrimary: SENTINEL_PRIMARY, passwordFile: file('of-the-store'), ...way }), 'a', 1);
        try {
          await relay.start();
          if (problem === undefined) assert.equal((await take(relay, hold('sentinel', 9))).ok, true);
          else assert.ok(relay.registry.problem?.includes(problem), relay.registry.problem);
        } finally {
          await relay.kill();
        }
      }
    } finally {
      await Promise.all([server.stop(), sentinel.stop()]);
      rmSync(dir, { recursive: true });
    }
  });

  it('follows no server on this machine to another one without TLS, which would carry the password there', async () => {
    const far = '203.0.113.9';
    const passwordFile = join(mkdtempSync(join(tmpdir(), 'relayd-password-')), 'password');
    writeFileSync(passwordFile, 'hunter2', { mode: 0o600 });
    const node = await RedisServer.start({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--cluster-announce-ip', far, '--requirepass', 'hunter2'], cliArgs: ['-a', 'hunter2', '--no-auth-warning'] });
    const sentinel = await RedisServer.start({ args: ['--sentinel'], file: () => `sentinel monitor ${SENTINEL_PRIMARY} ${far} 6379 1\n` });
    const right = 'which is another machine, and what goes there would not be encrypted: coordination.redis.url: rediss://… for TLS or, in a network that is yours alone, coordination.allowPlaintext: true';
    const ways: [Partial<RedisConfig>, string][] = [
      [{ url: node.url }, `Redis at 127.0.0.1:${node.port} names ${far}:${node.port}, ${right}`],
      [{ sentinels: [{ host: '127.0.0.1', port: sentinel.port }] }, `a Redis Sentinel names ${far}:6379, ${right}`],
    ];
    try {
      node.ask('cluster', 'addslotsrange', '0', '16383');
      for (const [way, problem] of ways) {
        const relay = new RedisRelay(redisConfig({ ...way, passwordFile, sentinelPrimary: SENTINEL_PRIMARY }), 'a', 1);
        try {
          await relay.start();
          await until(() => relay.registry.problem === problem, problem);
        } finally {
          await relay.kill();
        }
      }
    } finally {
      await Promise.all([node.stop(), sentinel.stop()]);
      rmSync(dirname(passwordFile), { recursive: true });
    }
  });

  describe('that is a Redis Cluster', () => {
    let group: ClusterGroup;

    before(async () => (group = await clusterGroup(SLOT)));
    after(async () => await group?.[Symbol.asyncDispose]());

    describe('while its slot is moved', () => {
      let relays: readonly RedisRelay[];

      before(async () => {
        relays = ['a', 'b'].map((id) => new RedisRelay(redisConfig({ url: group.nodes[0]!.url, nodes: group.nodes.map(({ url }) => url) }), id, 1));
        await Promise.all(relays.map((relay) => relay.start()));
        await relays[0]!.registry.publishAll(Array.from({ length: PEERS }, (_, i) => ({ peer: `peer-${i}`, ttlMs: HOUR_MS })));
      });
      after(async () => {
        await Promise.all(relays?.map((relay) => relay.kill()) ?? []);
      });

      it('goes on where the slot comes to be, and nothing that is asked meanwhile fails', async () => {
        const [to, , from] = group.nodes as [RedisServer, RedisServer, RedisServer];
        const [a, b] = relays as [RedisRelay, RedisRelay];
        const gone = watchGone(a, b);
        const load = relays.map((relay) => new Load(relay));
        let tookMs = Infinity;
        try {
          await until(() => load.every(({ done }) => done > 0), 'they take and give');
          const startedAt = performance.now();
          await reshard(from, to);
          tookMs = performance.now() - startedAt;
          const doneBefore = load.map(({ done }) => done);
          await until(() => load.every(({ done }, i) => done > doneBefore[i]!) && relays.every(({ heard }) => heard.staleTimes === 1), 'they go on, and are asked to tell all again');
        } finally {
          await Promise.all(load.map((each) => each.stop()));
        }
        // Where this machine stood still, commands may have waited for longer than they do.
        if (tookMs < WAITING_MS) {
          assert.deepEqual(load.flatMap(({ failures }) => failures), []);
          assert.deepEqual(relays.flatMap(({ heard }) => heard.problems.filter((problem) => problem !== undefined)), []);
        }
        assert.deepEqual(gone, []);
        assert.equal(from.ask('dbsize'), '0');
        assert.deepEqual(await b.registry.holders(`peer-${PEERS - 1}`, AbortSignal.timeout(5_000)), ['a'], 'what was told before the move is there');
        await until(() => relays.every(({ id }) => to.ask('hget', `{relayd:test}:holds:${id}`, 'moved') === '1'), 'each place that was given back was given back once, and the one that was kept is there');
      });

      it('says so when it takes long, does not keep anybody waiting, and is back by itself, whether the slot stays or goes', async () => {
        const [from, to] = group.nodes as [RedisServer, RedisServer];
        const [a] = relays as [RedisRelay];
        const ask = (node: RedisServer, ...words: string[]): string => node.ask('cluster', 'setslot', String(SLOT), ...words);
        const [fromId, toId] = [from.ask('cluster', 'myid'), to.ask('cluster', 'myid')];
        const begin = async (): Promise<void> => {
          ask(to, 'importing', fromId);
          ask(from, 'migrating', toId);
          await until(() => relays.every(({ registry }) => registry.problem?.includes('is moving the slot of this cluster\'s keys to another node') === true), 'they say so');
          await assert.rejects(take(a, hold('long', 9)), { code: 'STORE_UNAVAILABLE', message: /is moving the slot/ });
        };
        const isBack = (): boolean => relays.every(({ registry }) => registry.problem === undefined);
        const staleTimes = (): number[] => relays.map(({ heard }) => heard.staleTimes);
        const staleBefore = staleTimes();
        await begin();
        [to, from].forEach((node) => ask(node, 'stable'));
        await until(isBack, 'the slot has stayed');
        assert.deepEqual(staleTimes(), staleBefore, 'nothing was lost');
        assert.equal((await take(a, hold('long', 9))).ok, true);
        from.ask('hset', '{relayd:test}', 'made', 'by somebody, which lets scripts in where it is');
        await begin();
        const keys = from.ask('cluster', 'getkeysinslot', String(SLOT), '10000').split('\n');
        from.ask('migrate', '127.0.0.1', String(to.port), '', '0', '10000', 'keys', ...keys);
        [to, from, group.nodes[2]!].forEach((node) => ask(node, 'node', toId));
        await until(isBack, 'the slot has gone');
        await until(async () => (await take(a, hold('long', 3)).catch(() => undefined))?.ok === true, 'the new owner counts');
        assert.equal(to.ask('hget', '{relayd:test}:holds:a', 'long'), '2', 'with what was taken before');
      });
    });

    it('finds the node that has its keys, whichever node it is sent to', async () => {
      const relays = group.nodes.map((node, i) => new RedisRelay(redisConfig({ url: node.url, nodes: group.nodes.map(({ url }) => url) }), `relay-${i}`, 1));
      try {
        await Promise.all(relays.map((relay) => relay.start()));
        assert.deepEqual(relays.map(({ registry }) => registry.problem), [undefined, undefined, undefined]);
        const verdicts = await Promise.all(relays.map((relay) => take(relay, hold('cluster', 2))));
        assert.equal(verdicts.filter(({ ok }) => ok).length, 2, 'all count together');
        await until(() => relays.every((relay) => relays.every(({ id }) => id === relay.id || relay.heard.relays.has(id))), 'they know each other');
        const keys = group.nodes.map((node) => Number(node.ask('dbsize')));
        assert.equal(keys.filter((count) => count > 0).length, 1, 'one node has all keys');
        // The slot moves: its old owner answers MOVED from then on.
        const from = keys.findIndex((count) => count > 0);
        const [old, next] = [group.nodes[from]!, group.nodes[(from + 1) % 3]!];
        const slot = old.ask('cluster', 'keyslot', '{relayd:test}');
        const id = next.ask('cluster', 'myid');
        old.ask('flushall');
        for (const node of group.nodes) node.ask('cluster', 'setslot', slot, 'node', id);
        await until(() => relays.every(({ heard, registry }) => heard.staleTimes > 0 && registry.problem === undefined), 'all have followed the slot');
        await Promise.all(relays.map((relay) => relay.counters.restate(new Map())));
        await until(async () => (await take(relays[0]!, hold('moved', 1)).catch(() => undefined))?.ok === true, 'the new owner counts');
        assert.ok(Number(next.ask('dbsize')) > 0);
      } finally {
        await Promise.all(relays.map((relay) => relay.kill()));
      }
    });
  });
});

/** What a relay does all the time: it takes a place, asks for a peer, and gives the place back. */
class Load {
  done = 0;
  readonly failures: unknown[] = [];
  readonly #relay: RedisRelay;
  readonly #ended: Promise<void>;
  #isOver = false;

  constructor(relay: RedisRelay) {
    this.#relay = relay;
    this.#ended = this.#go();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #go(): Promise<void> {
    const { counters, registry } = this.#relay;
    // One that is kept.
    await take(this.#relay, hold('moved', MANY));
    while (!this.#isOver) {
      try {
        assert.equal((await take(this.#relay, hold('moved', MANY))).ok, true);
        counters.give(['moved']);
        assert.deepEqual(await registry.holders('peer-0', AbortSignal.timeout(5_000)), ['a']);
        this.done++;
      } catch (error) {
        this.failures.push(error);
      }
      await settled(1);
    }
  }
}

/** As an operator does: all slots of a node, of which there is one. */
async function reshard(from: RedisServer, to: RedisServer): Promise<void> {
  const ids = ['--cluster-from', from.ask('cluster', 'myid'), '--cluster-to', to.ask('cluster', 'myid')];
  const { exit, output } = await runCommand('redis-cli', ['--cluster', 'reshard', `127.0.0.1:${from.port}`, ...ids, '--cluster-slots', '1', '--cluster-yes'], { timeoutMs: RESHARD_MS });
  assert.equal(exit, 'exit code 0', output);
}
