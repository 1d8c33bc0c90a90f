import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LEASE_MS } from '../../../../src/coordination/backend.ts';
import { MAX_RECORD_BYTES } from '../../../../src/coordination/record.ts';
import { OtherRelays } from '../../../../src/coordination/redis/relays.ts';
import { MAX_REVOCATION_LIST_BYTES } from '../../../../src/realm/index.ts';
import type { RedisRelay } from '../../../support/coordination/redis-rig.ts';
import { signedList, signedRecord } from '../../../support/coordination/signed.ts';
import { available } from '../../../support/stores/redis.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';
import { OneServer, hold, take, watchGone } from './one-server.ts';

const HOUR_MS = 3_600_000;
const FOR_EVER = '99999999999999';

const key = (name: string): string => `{relayd:test}:${name}`;

describe('what somebody else has written in Redis', { skip: available() ?? false }, () => {
  const one = new OneServer();
  const ask = (...command: readonly string[]): string => one.server.ask(...command);

  /** Makes `name` look alive until `ends`, with a record that the next beat would tell. */
  const pretend = (name: string, ends: string | number, record?: string): void => {
    ask('hset', key('epochs'), name, '1');
    ask('zadd', key('leases'), String(ends), name);
    ask('zadd', key('versions'), String(Number(ask('hget', key('meta'), 'version')) + 1), name);
    if (record !== undefined) ask('hset', key('records'), name, record);
  };

  /** The store's own, which is what it judges leases by. */
  const nowMs = (): number => Number(ask('time').split('\n')[0]) * 1_000;

  const works = async (relay: RedisRelay): Promise<void> => {
    await relay.registry.beat(signedRecord(relay, 'still there'));
    await relay.registry.publish([{ peer: 'mine', ttlMs: HOUR_MS }]);
    assert.deepEqual(await relay.registry.holders('mine', AbortSignal.timeout(PATIENCE_MS)), [relay.id]);
    await relay.counters.restate(new Map());
    assert.equal((await relay.counters.take([hold('free', 1)], [{ limit: 'rates.connectPerPeer', key: 'rate', rate: { count: 100, perMs: 1_000 } }], AbortSignal.timeout(PATIENCE_MS))).ok, true);
    relay.counters.give(['free']);
  };

  it('keeps no beat from the others where a relay seems alive that has no record, or one that is too long', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      const beat = async (record?: string): Promise<Uint8Array | undefined> => {
        pretend('ghost', nowMs() + LEASE_MS, record);
        await a.registry.beat(signedRecord(a, 'next'));
        return a.heard.relays.get('ghost');
      };
      for (const record of [undefined, undefined, 'x'.repeat(MAX_RECORD_BYTES + 1)]) assert.equal(await beat(record), undefined);
      await until(async () => (await beat('x'.repeat(MAX_RECORD_BYTES)))?.byteLength === MAX_RECORD_BYTES, 'one of the right length is heard');
    });
  });

  it('is not believed to last longer than a relay can ask for, and is taken out with the next beat', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      pretend('ghost', FOR_EVER, 'not signed');
      ask('hset', key('holds:ghost'), 'full', '1');
      ask('hset', key('generations'), 'ghost', '1');
      ask('hset', key('peer:sought'), 'ghost', `1 1 ${FOR_EVER} 1`);
      ask('zadd', key('unsure'), FOR_EVER, 'waited for');
      ask('zadd', key('left'), FOR_EVER, 'left');
      assert.equal((await take(a, hold('full', 1))).ok, true, 'nobody is waited for, and the ghost holds nothing');
      assert.deepEqual(await a.registry.holders('sought', AbortSignal.timeout(PATIENCE_MS)), []);
      await a.registry.beat(signedRecord(a, 'next'));
      assert.equal(a.heard.relays.has('ghost'), false);
      assert.deepEqual(['leases', 'unsure', 'left'].map((name) => ask('zrange', key(name), '0', '-1')), [a.id, '', '']);
    });
  });

  it('makes nobody look dead, and nothing last for ever, by a time of the last beat that is none', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => a.heard.relays.has(b.id) && b.heard.relays.has(a.id), 'they know each other');
      const gone = watchGone(a, b);
      ask('hset', key('meta'), 'at', '0');
      await a.registry.beat(signedRecord(a, 'after that'));
      const [, bEnds] = ask('zrange', key('leases'), '0', '-1', 'withscores').split('\n').map(Number).filter((end) => end > 0);
      assert.ok(bEnds !== undefined && bEnds < nowMs() + 2 * LEASE_MS, `${bEnds}`);
      ask('hset', key('meta'), 'at', 'x');
      await works(b);
      assert.deepEqual(gone, []);
    });
  });

  it('stops no relay by one value that is none: what is wrong is written over', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      const wrong: readonly (readonly string[])[] = [
        ['hset', key('meta'), 'version', '9223372036854775807'],
        ['hset', key('meta'), 'version', 'nan'],
        ['hset', key('meta'), 'at', 'x'],
        ['hset', key('meta'), 'at', 'inf'],
        ['hset', key('meta'), 'born', 'x'.repeat(1_000)],
        ['hset', key('sessions'), a.id, 'x'],
        ['hset', key('generations'), a.id, 'x'],
        ['hset', key(`holds:${a.id}`), 'free', 'x'],
        ['hset', key('peer:mine'), a.id, '1 1 x y', 'ghost', 'x'],
        ['set', key('rate:rate'), 'x'],
      ];
      for (const command of wrong) {
        ask(...command);
        await a.registry.beat(signedRecord(a, 'goes on')).catch(() => {});
        await works(a);
      }
      assert.equal(a.registry.problem, undefined);
      const window = new Date().toISOString().slice(0, 10);
      const report = (bytes: number): Promise<number[]> => a.registry.report([{ key: 'q', window, bytes }], AbortSignal.timeout(PATIENCE_MS));
      assert.deepEqual(await report(5), [5]);
      ask('hset', key(`used:${window}:q`), 'total', 'x', `${a.id}#1`, 'x');
      assert.deepEqual(await report(7), [7]);
      ask('hset', key(`used:${window}:q`), 'total', '-9007199254740000');
      assert.deepEqual(await report(7), [7], 'a total that lets everybody use more than the quota');
      assert.equal(ask('hget', key(`used:${window}:q`), 'total'), '7');
    });
  });

  it('hides no record from who has heard of a higher version than there is now', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      await until(async () => {
        ask('hset', key('meta'), 'version', '1000');
        await a.registry.beat(signedRecord(a, 'far ahead'));
        ask('hdel', key('meta'), 'version');
        pretend('another', nowMs() + LEASE_MS, 'from the beginning');
        await a.registry.beat(signedRecord(a, 'again from the beginning'));
        return a.heard.relays.has('another');
      }, 'it is heard');
    });
  });

  it('is taken out where it has the wrong type, and all is told anew', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      for (const name of ['meta', 'leases', 'epochs', 'sessions', 'records', 'versions', 'generations', 'left', 'unsure', 'sequences', `holds:${a.id}`, 'peer:mine']) {
        const before = a.heard.staleTimes;
        ask('del', key(name));
        ask(...(name === 'meta' ? ['zadd', key(name), '1', 'x'] : ['set', key(name), 'x']));
        await a.registry.beat(signedRecord(a, 'goes on'));
        // Not every key is used by each script.
        await Promise.allSettled([a.registry.publish([{ peer: 'mine', ttlMs: HOUR_MS }]), a.registry.holders('mine', AbortSignal.timeout(PATIENCE_MS)), a.counters.restate(new Map())]);
        await a.registry.beat(signedRecord(a, 'and once more'));
        await until(() => a.heard.staleTimes > before, `${name}: it is told anew`);
        await works(a);
      }
      assert.equal(a.registry.problem, undefined);
    });
  });

  it('lets nobody have the places of a relay whose count was taken out, until it has told it again', async () => {
    await one.withRelays(2, async (a, b) => {
      [a, b].forEach(({ beats }) => beats.stop());
      assert.equal((await take(a, hold('one', 1))).ok, true);
      ask('set', key(`holds:${a.id}`), 'x');
      await assert.rejects(take(b, hold('one', 1)), { code: 'STORE_UNAVAILABLE' });
      await a.registry.beat(signedRecord(a, 'is there'));
      await a.counters.restate(new Map([['one', 1]]));
      await b.registry.beat(signedRecord(b, 'is there too'));
      await b.counters.restate(new Map());
      assert.equal((await take(b, hold('one', 1))).ok, false);
    });
  });

  it('shuts no relay out by the number of a later connection for longer than a lease', async () => {
    await one.withRelays(1, async (a) => {
      ask('hset', key('sessions'), a.id, '9007199254740000');
      await until(() => Number(ask('hget', key('sessions'), a.id)) < 1_000, 'it has beaten', LEASE_MS + PATIENCE_MS);
      a.beats.stop();
      await works(a);
    });
  });

  it('is told from the longest list that an authority makes', async () => {
    await one.withRelays(1, async (a) => {
      await a.registry.tellRevocations(signedList(3, 'aa', MAX_REVOCATION_LIST_BYTES));
      const late = await one.relay().start();
      try {
        await until(() => late.heard.lists.get('aa')?.list.byteLength === MAX_REVOCATION_LIST_BYTES, 'it is heard');
        assert.equal(ask('hget', key('sequences'), 'aa'), '3');
      } finally {
        await late.kill();
      }
    });
  });

  it('is looked through and taken out where it is of authorities that nobody has, and hides no true list', async () => {
    await one.withRelays(2, async (a, b) => {
      await a.registry.tellRevocations(signedList(3));
      const madeUp = Array.from({ length: 150 }, (_, i) => [i.toString(16).padStart(72, '0'), 'x'.repeat(i)]).flat();
      ask('hset', key('sequences'), ...madeUp);
      await a.registry.tellRevocations(signedList(4));
      await until(() => b.heard.lists.get('aa')?.sequence === 4, 'the true one is heard');
      await until(async () => {
        await Promise.all([a, b].map((relay) => relay.registry.beat(signedRecord(relay, 'looks on'))));
        return ask('hlen', key('sequences')) === '1';
      }, 'only the true one is left');
      assert.deepEqual([a, b].map((relay) => relay.registry.problem), [undefined, undefined]);
    });
  });
});

describe('the other relays of a cluster in Redis', () => {
  it('are told of what is too long for a record, which is counted, and do not keep it', () => {
    const heard: string[] = [];
    const others = new OtherRelays('self', { relay: (peer) => heard.push(peer), gone: () => {} }, () => false);
    const notice = (relay: string, bytes: number): boolean => others.heard({ kind: 'record', relay, epoch: 1, version: 1, record: Buffer.alloc(bytes) });
    assert.deepEqual([notice('long', MAX_RECORD_BYTES + 1), notice('right', MAX_RECORD_BYTES)], [false, true]);
    assert.deepEqual([heard, others.names()], [['long', 'right'], ['right']]);
  });
});
