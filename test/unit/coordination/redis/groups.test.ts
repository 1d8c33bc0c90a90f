import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { RedisConfig } from '../../../../src/config/domain.ts';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';
import { RedisServer, available } from '../../../support/stores/redis.ts';
import { SENTINEL_PRIMARY, clusterGroup, sentinelGroup } from '../../../support/stores/redis-groups.ts';
import { freePort } from '../../../support/free-port.ts';
import { until } from '../../../support/waiting.ts';
import { hold, take } from './one-server.ts';

/** Sentinels need to see the loss, agree, and promote: seconds, on a busy machine more. */
const FAILOVER_MS = 60_000;

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

  it('finds the node of a Redis Cluster that has its keys, whichever node it is sent to', async () => {
    await using group = await clusterGroup();
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
