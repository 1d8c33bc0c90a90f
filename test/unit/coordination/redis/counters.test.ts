import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TakeVerdict } from '../../../../src/coordination/backend.ts';
import type { RateClaim } from '../../../../src/lib/cluster/relay-cluster.ts';
import { available } from '../../../support/stores/redis.ts';
import { settled, until } from '../../../support/waiting.ts';
import { OneServer, freePlaces, hold, take } from './one-server.ts';

const HOUR_MS = 3_600_000;

describe('counters in Redis', { skip: available() ?? false }, () => {
  const one = new OneServer();

  it('admit exactly the limit of 300 takes through three relays, eight at once', async () => {
    await one.withRelays(3, async (...relays) => {
      const claim = hold('public/reservations.perPrefix/192.0.2.0/24', 100);
      let left = 300;
      let admitted = 0;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          if ((await take(relays[Math.floor(Math.random() * 3)]!, claim)).ok) admitted++;
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      assert.equal(admitted, 100);
    });
  });

  it('say which limit refused, with the count and the maximum', async () => {
    await one.withRelays(2, async (a, b) => {
      assert.deepEqual(await take(a, hold('full', 1)), { ok: true });
      assert.deepEqual(await take(b, hold('wide', 5), hold('full', 1)), { ok: false, key: 'full', current: 1, maximum: 1 });
    });
  });

  it('know of the keys that were asked for how many all hold together', async () => {
    await one.withRelays(2, async (a, b) => {
      await take(a, hold('shown', 3));
      await take(b, hold('shown', 3), hold('other', 2), hold('other', 2));
      assert.deepEqual([a.total('shown'), b.total('shown'), b.total('other'), a.total('other')], [1, 2, 2, null]);
      await take(a, hold('shown', 2), hold('other', 9));
      assert.deepEqual([a.total('shown'), a.total('other')], [2, 2], 'it was refused, and counted all the same');
      b.counters.give(['shown', 'other']);
      await until(() => b.total('shown') === 1 && b.total('other') === 1, 'what was given back is not in it');
    });
  });

  it('take all holds and all tokens of a request, or none', async () => {
    await one.withRelays(2, async (a, b) => {
      const rate: RateClaim = { limit: 'rates.reservePerPeer', key: 'tokens', rate: { count: 3, perMs: HOUR_MS } };
      const spent: RateClaim = { limit: 'rates.reservePerPeer', key: 'spent', rate: { count: 1, perMs: HOUR_MS } };
      const ask = (holds: string[], rates: RateClaim[]): Promise<TakeVerdict> => a.counters.take(holds.map((key) => hold(key, 1)), rates, AbortSignal.timeout(5_000));
      assert.equal((await ask(['narrow'], [spent])).ok, true);
      assert.equal((await ask(['narrow'], [rate])).ok, false, 'a hold refuses: no token is spent');
      assert.equal((await ask(['other'], [rate, spent])).ok, false, 'a rate refuses: no place is taken, and no token of the other');
      assert.equal(await freePlaces(b, 'other', 4), 4);
      for (let i = 0; i < 3; i++) assert.equal((await ask([], [rate])).ok, true);
      assert.equal((await ask([], [rate])).ok, false);
    });
  });

  it('count a key that stands twice in one request twice', async () => {
    await one.withRelays(1, async (a) => {
      assert.equal((await take(a, hold('twice', 1), hold('twice', 1))).ok, false);
      assert.equal((await take(a, hold('twice', 2), hold('twice', 2))).ok, true);
      assert.equal((await take(a, hold('twice', 2))).ok, false);
    });
  });

  it('let a whole burst of a rate through, say when the next token comes, and give it then', async () => {
    await one.withRelays(2, async (a, b) => {
      const claim: RateClaim = { limit: 'rates.reservePerPeer', key: 'burst', rate: { count: 4, perMs: 8_000 } };
      const ask = (relay: typeof a): Promise<TakeVerdict> => relay.counters.take([], [claim], AbortSignal.timeout(5_000));
      const burst = await Promise.all([a, b, a, b, a].map(ask));
      assert.equal(burst.filter(({ ok }) => ok).length, 4);
      const refused = burst.find((verdict) => !verdict.ok) as Extract<TakeVerdict, { ok: false }>;
      assert.equal(refused.maximum, 4);
      assert.equal(refused.current, 4);
      assert.ok(refused.retryAfterMs! > 0 && refused.retryAfterMs! <= 2_000, `a token comes back every 2 s: ${refused.retryAfterMs}`);
      await until(async () => (await ask(b)).ok, 'a token has come back');
    });
  });

  it('do not count what a dead relay holds, and count it again if it comes back', async () => {
    await one.withRelays(2, async (a, b) => {
      await Promise.all([take(a, hold('dead', 2)), take(a, hold('dead', 2))]);
      assert.equal(await freePlaces(b, 'dead', 2), 0);
      a.beats.stop();
      await until(async () => (await freePlaces(b, 'dead', 2)) === 2, 'its lease is over');
      await a.beats.start();
      assert.equal(await freePlaces(b, 'dead', 2), 0);
    });
  });

  it('give a take back that was answered when nobody waited for it any more', async () => {
    await one.withRelays(2, async (a, b) => {
      const given = new AbortController();
      const verdict = a.counters.take([hold('aborted', 1)], [], given.signal);
      given.abort(new Error('too late'));
      await assert.rejects(verdict, { code: 'CLOSED' });
      await until(async () => (await freePlaces(b, 'aborted', 1)) === 1, 'the place is free again');
      await assert.rejects(a.counters.take([hold('aborted', 1)], [], given.signal), { code: 'CLOSED' });
    });
  });

  it('restate to what is really held, more and less, and to nothing for what is not named', async () => {
    await one.withRelays(2, async (a, b) => {
      for (let i = 0; i < 5; i++) await take(a, hold('less', 10), hold('gone', 10));
      await a.counters.restate(new Map([['less', 2], ['more', 7]]));
      assert.deepEqual([await freePlaces(b, 'less', 10), await freePlaces(b, 'gone', 10), await freePlaces(b, 'more', 10)], [8, 10, 3]);
    });
  });

  it('restate thousands of keys', async () => {
    await one.withRelays(2, async (a, b) => {
      await a.counters.restate(new Map(Array.from({ length: 3_000 }, (_, i) => [`key-${i}`, 1 + (i % 3)])));
      assert.deepEqual(await Promise.all([0, 1, 2_999].map((i) => freePlaces(b, `key-${i}`, 5))), [4, 3, 2]);
      await a.counters.restate(new Map());
      assert.equal(await freePlaces(b, 'key-2999', 5), 5);
    });
  });

  it('stay exact when places are taken and given back while they are restated', async () => {
    await one.withRelays(2, async (a, b) => {
      let held = 0;
      const done = new AbortController();
      const worker = async (): Promise<void> => {
        while (!done.signal.aborted) {
          if (!(await take(a, hold('busy', 1_000))).ok) continue;
          held++;
          if (Math.random() < 0.45) {
            held--;
            a.counters.give(['busy']);
          }
        }
      };
      const workers = Array.from({ length: 8 }, worker);
      for (let i = 0; i < 30; i++) {
        await a.counters.restate(new Map([['busy', held]]));
        await settled(1);
      }
      done.abort();
      await Promise.all(workers);
      await until(async () => 1_000 - (await freePlaces(b, 'busy', 1_000)) === held, `the store counts ${held}`);
    });
  });

  it('add what was taken without asking, before the next take, and whatever is given back with it', async () => {
    await one.withRelays(2, async (a, b) => {
      a.counters.add(['added', 'added', 'added', 'both']);
      a.counters.give(['added', 'both']);
      assert.equal((await take(a, hold('added', 2))).ok, false);
      assert.deepEqual([await freePlaces(b, 'added', 5), await freePlaces(b, 'both', 5)], [3, 5]);
    });
  });

  it('let a take have what was given back just before it', async () => {
    await one.withRelays(1, async (a) => {
      assert.equal((await take(a, hold('last', 1))).ok, true);
      a.counters.give(['last']);
      assert.equal((await take(a, hold('last', 1))).ok, true);
    });
  });

  it('never fall below nothing, whatever is given back', async () => {
    await one.withRelays(2, async (a, b) => {
      a.counters.give(['never-taken', 'never-taken']);
      await take(a, hold('never-taken', 3));
      assert.equal(await freePlaces(b, 'never-taken', 3), 2);
    });
  });
});
