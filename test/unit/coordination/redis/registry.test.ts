import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LEASE_MS } from '../../../../src/coordination/backend.ts';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';
import { signedList as list, signedRecord } from '../../../support/coordination/signed.ts';
import { CutProxy } from '../../../support/stores/cut-proxy.ts';
import { available } from '../../../support/stores/redis.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';
import { OneServer, freePlaces, hold, take, watchGone } from './one-server.ts';

const HOUR_MS = 3_600_000;

describe('the registry in Redis', { skip: available() ?? false }, () => {
  const one = new OneServer();
  const holders = (relay: ReturnType<typeof one.relay>, peer: string): Promise<string[]> => relay.registry.holders(peer, AbortSignal.timeout(5_000));

  it('passes records of any bytes on at once, without waiting for a beat of the listener', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => b.heard.relays.has(a.id), 'one knows the other');
      b.beats.stop();
      a.beats.stop();
      const record = Buffer.from([0, 32, 10, 255, 13, 10, 36, 0]);
      await a.registry.beat(record);
      await until(() => Buffer.from(b.heard.relays.get(a.id)!).equals(record), 'the record has come as a notice');
    });
  });

  it('hears from its beats what notices did not tell', async () => {
    await one.withRelays(1, async (a) => {
      await a.registry.tellRevocations(list(3));
      const late = await one.relay().start();
      try {
        // It subscribed after both had been told.
        await until(() => late.heard.relays.has(a.id) && late.heard.lists.get('aa')?.sequence === 3, 'the late one knows both');
      } finally {
        await late.kill();
      }
    });
  });

  it('hears from a beat that a relay has left when the notice was lost', async () => {
    await one.withRelays(1, async (b) => {
      const proxy = await CutProxy.start(one.server.port);
      const a = new RedisRelay(redisConfig({ url: `redis://127.0.0.1:${proxy.port}` }), 'away', 1);
      try {
        await a.start();
        await until(() => a.heard.relays.has(b.id), 'one knows the other');
        proxy.cut();
        await b.stop();
        await until(() => a.registry.problem !== undefined, 'the connection is given up');
        proxy.heal();
        await until(() => a.heard.goneBecause.get(b.id) === 'left', 'the beat tells');
      } finally {
        await a.kill();
        await proxy.stop();
      }
    });
  });

  it('forgets all of a relay that has been gone for ten minutes', async () => {
    await one.withRelays(1, async () => {
      const old = await one.relay('old').start();
      await take(old, hold('old', 1));
      await old.kill();
      const isKept = (): boolean => one.server.ask('exists', '{relayd:test}:holds:old') === '1' && one.server.ask('hexists', '{relayd:test}:records', 'old') === '1';
      assert.ok(isKept());
      one.server.ask('zincrby', '{relayd:test}:leases', '-610000', 'old');
      await until(() => !isKept() && one.server.ask('zscore', '{relayd:test}:leases', 'old') === '', 'it is forgotten');
    });
  });

  it('refuses an older run while a newer one is alive, and says so once', async () => {
    await one.withRelays(0, async () => {
      const [newer, older] = [await one.relay('same', 5).start(), one.relay('same', 4)];
      await older.registry.start();
      try {
        await assert.rejects(older.registry.beat(Buffer.from('old')), { code: 'FENCED' });
        await assert.rejects(older.registry.beat(Buffer.from('old')), { code: 'FENCED' });
        assert.equal(older.heard.fencedTimes, 1);
        await assert.rejects(older.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]), { code: 'STORE_UNAVAILABLE' });
        assert.equal(newer.heard.fencedTimes, 0);
      } finally {
        await Promise.all([newer.stop(), older.kill()]);
      }
    });
  });

  it('is not fenced by what its key has not signed, whoever asks the store first, and is known again at once', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => b.heard.relays.has(a.id), 'one knows the other');
      const key = (name: string): string => `{relayd:test}:${name}`;
      for (const [epoch, record] of [['9007199254740000', undefined], ['9007199254740001', signedRecord({ id: b.id, epoch: 9 }, 'x').toString()], ['1e300', 'not signed']] as const) {
        a.beats.stop();
        const before = a.heard.staleTimes;
        if (record !== undefined) one.server.ask('hset', key('records'), a.id, record);
        one.server.ask('hset', key('epochs'), a.id, epoch);
        one.server.ask('zadd', key('leases'), '99999999999999', a.id);
        await assert.rejects(take(a, hold('claimed', 1)), { code: 'STORE_UNAVAILABLE' });
        await until(() => a.heard.staleTimes > before, 'it has told its epoch again without a beat of the coordinator\'s');
        await a.counters.restate(new Map());
        assert.equal((await take(a, hold('claimed', 1))).ok, true);
        a.counters.give(['claimed']);
        one.server.ask('hset', key('epochs'), a.id, `${epoch}7`);
        await a.beats.start();
        assert.equal(one.server.ask('hget', key('epochs'), a.id), '1');
      }
      assert.deepEqual([a.heard.fencedTimes, a.beats.errors, a.registry.problem], [0, [], undefined]);
      const record = signedRecord(a, 'the newest');
      a.beats.stop();
      await a.registry.beat(record);
      await until(() => Buffer.from(b.heard.relays.get(a.id) ?? []).equals(record), 'the other hears it still');
    });
  });

  it('hears a relay of which somebody has told a higher epoch, from the next beat on', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => b.heard.relays.has(a.id), 'one knows the other');
      const heard = (): string => Buffer.from(b.heard.relays.get(a.id) ?? []).toString();
      a.beats.stop();
      one.server.ask('publish', '{relayd:test}:news', `record ${a.id} 9007199254740000 1 forged`);
      await until(() => heard() === 'forged', 'the notice has come');
      await a.beats.start();
      await until(() => heard().endsWith(`signed by ${a.id}`), 'it hears what the relay says itself');
    });
  });

  it('ends with the first beat of a run what the run before held and published', async () => {
    await one.withRelays(1, async (a) => {
      const before = await one.relay('again', 1).start();
      await take(before, hold('wiped', 1));
      await before.registry.publish([{ peer: 'wiped', ttlMs: HOUR_MS }]);
      assert.deepEqual(await holders(a, 'wiped'), ['again']);
      await before.kill();
      const next = await one.relay('again', 2).start();
      try {
        assert.deepEqual(await holders(a, 'wiped'), []);
        assert.equal(await freePlaces(a, 'wiped', 1), 1);
      } finally {
        await next.stop();
      }
    });
  });

  it('starts with nothing again after a stop, in the same epoch', async () => {
    await one.withRelays(1, async (a) => {
      const relay = await one.relay().start();
      await relay.registry.publish([{ peer: 'restarted', ttlMs: HOUR_MS }]);
      await take(relay, hold('restarted', 1));
      await relay.stop();
      await until(() => a.heard.goneBecause.get(relay.id) === 'left', 'it has left');
      await relay.start();
      try {
        await until(() => a.heard.relays.has(relay.id), 'it is known again');
        assert.deepEqual(await holders(a, 'restarted'), []);
        assert.equal(await freePlaces(relay, 'restarted', 1), 1);
        await relay.registry.publish([{ peer: 'restarted', ttlMs: HOUR_MS }]);
        assert.deepEqual(await holders(a, 'restarted'), [relay.id]);
      } finally {
        await relay.stop();
      }
    });
  });

  it('has everything told again after the store has lost it, and counts nothing until all have', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => a.heard.relays.has(b.id) && b.heard.relays.has(a.id), 'they know each other');
      await b.registry.publish([{ peer: 'flushed', ttlMs: HOUR_MS }]);
      await b.registry.tellRevocations(list(7, 'kept'));
      for (let i = 0; i < 2; i++) await take(b, hold('flushed', 2));
      b.beats.stop();
      one.server.ask('flushall');
      await until(() => a.heard.staleTimes === 1, 'one is told');
      await a.counters.restate(new Map());
      await assert.rejects(take(a, hold('flushed', 2)), { code: 'STORE_UNAVAILABLE' }, 'b, which a knows to be alive, has not beaten yet');
      await b.beats.start();
      assert.equal(b.heard.staleTimes, 1);
      await assert.rejects(take(a, hold('flushed', 2)), { code: 'STORE_UNAVAILABLE' }, 'b holds two, and has not said so yet');
      await b.counters.restate(new Map([['flushed', 2]]));
      assert.equal((await take(a, hold('flushed', 2))).ok, false);
      await b.registry.publishAll([{ peer: 'flushed', ttlMs: HOUR_MS }]);
      assert.deepEqual(await holders(a, 'flushed'), [b.id]);
      await until(() => one.server.ask('hget', '{relayd:test}:sequences', 'kept') === '7', 'the revocation list is back without being asked for');
      assert.deepEqual([a.heard.staleTimes, b.heard.staleTimes], [1, 1]);
    });
  });

  it('keeps who is linked while an emptied store waits for it, and not who is not', async () => {
    await one.withRelays(3, async (a, b, dead) => {
      await until(() => a.heard.relays.size === 2 && b.heard.relays.size === 2, 'they know each other');
      a.linked.add(b.id);
      const gone = watchGone(a);
      await dead.kill();
      b.beats.stop();
      one.server.ask('flushall');
      await until(() => gone.length > 0, 'who died with the store is gone with the first beat');
      assert.deepEqual([gone, [...a.heard.relays.keys()]], [[`${dead.id} lapsed`], [b.id]]);
      await b.beats.start();
      await until(() => b.heard.relays.has(a.id) && b.heard.staleTimes === 1, 'it has come back');
      await a.registry.beat(signedRecord(a, 'later'));
      assert.deepEqual(gone, [`${dead.id} lapsed`]);
    });
  });

  it('waits no longer than a lease for who is linked and does not come back to an emptied store', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => a.heard.relays.has(b.id), 'one knows the other');
      a.linked.add(b.id);
      b.beats.stop();
      one.server.ask('flushall');
      await until(() => a.heard.goneBecause.get(b.id) === 'lapsed', 'it has lapsed', LEASE_MS + PATIENCE_MS);
    });
  });

  it('beats at once when a take finds that the store has lost it', async () => {
    await one.withRelays(1, async (a) => {
      a.beats.stop();
      one.server.ask('flushall');
      await assert.rejects(take(a, hold('unknown', 1)), { code: 'STORE_UNAVAILABLE' });
      await until(() => a.heard.staleTimes === 1, 'it is told without a beat of the coordinator\'s');
      await a.counters.restate(new Map());
      assert.equal((await take(a, hold('unknown', 1))).ok, true);
    });
  });

  it('keeps the newest revocation list of an authority, whoever tells it and when', async () => {
    await one.withRelays(3, async (a, b, c) => {
      await a.registry.tellRevocations(list(5));
      await until(() => b.heard.lists.get('aa')?.sequence === 5, 'the list has arrived');
      assert.equal(Buffer.from(b.heard.lists.get('aa')!.list).toString(), 'list 5 signed by aa.');
      await c.registry.tellRevocations(list(2));
      assert.equal(one.server.ask('hget', '{relayd:test}:sequences', 'aa'), '5');
      await b.registry.tellRevocations(list(6));
      await until(() => [a, c].every((relay) => relay.heard.lists.get('aa')?.sequence === 6), 'the newer one has arrived');
      assert.equal(b.heard.lists.get('aa')?.sequence, 5, 'nobody is told of his own');
      // One that is newer than what the teller has heard of.
      one.server.ask('hset', '{relayd:test}:lists', 'bb', Buffer.from(list(9, 'bb').list).toString());
      one.server.ask('hset', '{relayd:test}:sequences', 'bb', '9');
      await a.registry.tellRevocations(list(8, 'bb'));
      assert.equal(one.server.ask('hget', '{relayd:test}:sequences', 'bb'), '9');
    });
  });

  it('puts the true revocation list in place of what its authority has not signed', async () => {
    await one.withRelays(2, async (a, b) => {
      const forge = (sequence: number | string, text: string): void => {
        one.server.ask('hset', '{relayd:test}:lists', 'aa', text);
        one.server.ask('hset', '{relayd:test}:sequences', 'aa', String(sequence));
      };
      const stored = (): string[] => ['sequences', 'lists'].map((name) => one.server.ask('hget', `{relayd:test}:${name}`, 'aa'));
      const right = (sequence: number): string[] => [String(sequence), `list ${sequence} signed by aa.`];
      await a.registry.tellRevocations(list(5));
      for (const [sequence, text] of [['9007199254740000', 'garbage'], ['9007199254740000', 'list 5 signed by aa.'], ['x', 'garbage'], ['900', 'list 4 signed by aa.'], ['3', 'garbage']] as const) {
        forge(sequence, text);
        await until(() => stored().join() === right(5).join(), `the true one is back in place of ${sequence} ${text}`);
      }
      forge('9007199254740000', 'garbage');
      await b.registry.tellRevocations(list(6));
      assert.deepEqual(stored(), right(6), 'before the telling ends');
      await until(() => a.heard.lists.get('aa')?.sequence === 6, 'it is heard');
      assert.equal(b.heard.lists.get('aa')?.sequence, 5, 'nothing else ever was');
      forge(6, 'garbage');
      await b.registry.tellRevocations(list(6));
      assert.deepEqual(stored(), right(6), 'under its own number too');
    });
  });

  it('gives who comes later the true revocation list, though something else stands under its number', async () => {
    await one.withRelays(1, async (a) => {
      await a.registry.tellRevocations(list(5));
      one.server.ask('hset', '{relayd:test}:lists', 'aa', 'garbage');
      const late = await one.relay().start();
      try {
        await until(() => late.heard.lists.get('aa')?.sequence === 5, 'it is taken out, and told again');
      } finally {
        await late.kill();
      }
    });
  });

  it('names the relay first that got the reservation last; renewing changes nothing in that', async () => {
    await one.withRelays(3, async (a, b, c) => {
      for (const relay of [a, b, c]) await relay.registry.publish([{ peer: 'moved', ttlMs: HOUR_MS }]);
      await a.registry.publish([{ peer: 'moved', ttlMs: HOUR_MS }]);
      assert.deepEqual(await holders(b, 'moved'), [c.id, b.id, a.id]);
      await a.registry.publish([{ peer: 'moved', ttlMs: undefined }, { peer: 'moved', ttlMs: HOUR_MS }]);
      assert.deepEqual(await holders(b, 'moved'), [a.id, c.id, b.id]);
    });
  });

  it('keeps what is published while the whole list is told', async () => {
    await one.withRelays(1, async (a) => {
      const all = Array.from({ length: 2_000 }, (_, i) => ({ peer: `all-${i}`, ttlMs: HOUR_MS }));
      const told = a.registry.publishAll(all);
      await Promise.all([told, a.registry.publish([{ peer: 'meanwhile', ttlMs: HOUR_MS }])]);
      assert.deepEqual([await holders(a, 'all-1999'), await holders(a, 'meanwhile')], [[a.id], [a.id]]);
    });
  });

  it('looks relays that are over out of a key that many have been in', async () => {
    await one.withRelays(1, async (a) => {
      one.server.ask('hset', '{relayd:test}:peer:crowded', ...Array.from({ length: 9 }, (_, i) => [`dead-${i}`, '1 1 1000 1']).flat());
      await a.registry.publish([{ peer: 'crowded', ttlMs: HOUR_MS }]);
      assert.equal(one.server.ask('hlen', '{relayd:test}:peer:crowded'), '1');
    });
  });

  it('adds up usage over relays and runs, never counts a report twice, and lets it expire a day after its window', async () => {
    await one.withRelays(2, async (a, b) => {
      const now = new Date();
      const window = now.toISOString().slice(0, 10);
      const report = (relay: typeof a, bytes: number): Promise<number[]> => relay.registry.report([{ key: 'quota/peer/x', window, bytes }], AbortSignal.timeout(5_000));
      assert.deepEqual(await report(a, 1_000), [1_000]);
      assert.deepEqual(await report(a, 1_000), [1_000]);
      assert.deepEqual(await report(b, 2 ** 50), [2 ** 50 + 1_000]);
      assert.deepEqual(await report(a, 1_001), [2 ** 50 + 1_001]);
      assert.deepEqual(await report(a, 0), [2 ** 50 + 1_001]);
      assert.deepEqual(await a.registry.report([{ key: 'quota/peer/nobody', window, bytes: 0 }], AbortSignal.timeout(5_000)), [0]);
      assert.equal(one.server.ask('exists', `{relayd:test}:used:${window}:quota/peer/nobody`).trim(), '0', 'a question writes nothing');
      const ttlMs = Number(one.server.ask('pttl', `{relayd:test}:used:${window}:quota/peer/x`));
      assert.ok(ttlMs > 86_400_000 - 60_000 && ttlMs <= 2 * 86_400_000, `${ttlMs}`);
    });
  });

  it('does not let leases run while the store sleeps or its clock is stepped', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => a.heard.relays.has(b.id) && b.heard.relays.has(a.id), 'they know each other');
      const gone = watchGone(a, b);
      for (const stepMs of [-3_600_000, 3_600_000]) {
        // As if all times of the store had been written before its clock was stepped.
        const keys = ['leases', 'unsure', 'left'].map((name) => `for _, m in ipairs(redis.call('ZRANGE', '{relayd:test}:${name}', 0, -1)) do redis.call('ZINCRBY', '{relayd:test}:${name}', ${stepMs}, m) end`);
        one.server.ask('eval', `${keys.join('\n')} redis.call('HINCRBY', '{relayd:test}:meta', 'at', ${stepMs})`, '0');
        const from = Number(one.server.ask('hget', '{relayd:test}:meta', 'version'));
        await until(() => Number(one.server.ask('hget', '{relayd:test}:meta', 'version')) > from + 2, 'both have beaten again');
        const ends = Number(one.server.ask('zscore', '{relayd:test}:leases', a.id)) - Number(one.server.ask('time').split('\n')[0]) * 1_000;
        assert.ok(ends > 0 && ends < 6_000, `the lease ends in ${ends} ms`);
      }
      assert.deepEqual(gone, []);
    });
  });
});
