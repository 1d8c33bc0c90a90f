import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TakeVerdict } from '../../../../src/coordination/backend.ts';
import { Owners } from '../../../../src/coordination/shares/owners.ts';
import type { HoldClaim, RateClaim } from '../../../../src/lib/cluster/relay-cluster.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import type { Rate } from '../../../../src/lib/token-bucket.ts';
import { TokenBucket } from '../../../../src/lib/token-bucket.ts';
import { seededRandom } from '../../../support/random.ts';
import { SimulatedTime } from './simulated-time.ts';
import { World } from './simulation.ts';
import type { SimulatedRelay } from './simulation.ts';

const IDS = ['a', 'b', 'c'];
const never = new AbortController().signal;
const hold = (key: string, maximum: number): HoldClaim => ({ limit: 'circuits.perPrefix', key, maximum });
const rate = (key: string, count: number, perMs: number): RateClaim => ({ limit: 'rates.connectPerPrefix', key, rate: { count, perMs } });

/** A key that `owner` owns among all. */
function keyOf(owner: string, ids: readonly string[] = IDS): string {
  const owners = new Owners(ids);
  for (let i = 0; ; i++) if (owners.of(`key ${i}`) === owner) return `key ${i}`;
}

interface Rig {
  readonly clock: SimulatedTime;
  readonly world: World;
  /** By id. */
  readonly relays: Record<'a' | 'b' | 'c', SimulatedRelay>;
  take(relay: SimulatedRelay, holds: readonly HoldClaim[], rates?: readonly RateClaim[], patienceMs?: number): Promise<TakeVerdict>;
}

/** Three relays that see each other. @param earlyMs by how much timers are too early */
async function rig(seed = 1, earlyMs = 0): Promise<Rig> {
  const clock = new SimulatedTime(() => earlyMs);
  const world = new World({ clock, random: seededRandom(seed), delayMs: 4 });
  const [a, b, c] = [await world.add('a'), await world.add('b'), await world.add('c')];
  world.relays.forEach((relay) => relay.setView(IDS, 3));
  await clock.run(1_000);
  return {
    clock,
    world,
    relays: { a, b, c },
    take: async (relay, holds, rates = [], patienceMs = 1_500) => {
      const result = relay.counters.take(holds, rates, never);
      result.catch(() => {});
      await clock.run(patienceMs);
      return result;
    },
  };
}

/** Relay a lets go of the only place of `key` while the owner does not see it, and somebody waits there for one. @returns lets them give up */
async function letGoBesideOneWhoWaits({ relays, clock, take }: Rig, key: string): Promise<() => Promise<void>> {
  assert.ok((await take(relays.a, [hold(key, 1)])).ok);
  relays.b.setView(['b', 'c'], 3);
  const wait = new AbortController();
  const waiting = assert.rejects(relays.a.counters.take([hold(key, 1)], [], wait.signal));
  await clock.run(20);
  relays.a.counters.give([key]);
  return () => {
    wait.abort();
    return waiting;
  };
}

/** All places of `key` at all relays, taken in turn until none is to be had. */
async function fill({ relays, take }: Rig, key: string, maximum: number): Promise<number> {
  let taken = 0;
  for (let i = 0, refusals = 0; refusals < 3; i++) {
    const { ok } = await take(Object.values(relays)[i % 3] as SimulatedRelay, [hold(key, maximum)]);
    taken += Number(ok);
    refusals = ok ? 0 : refusals + 1;
  }
  return taken;
}

describe('shared counters', () => {
  for (const limit of [1, 8, 100]) {
    it(`admit exactly ${limit} of 300 attempts at three relays, 8 at once`, async () => {
      const { clock, world } = await rig();
      const random = seededRandom(limit);
      let admitted = 0;
      const attempts = Array.from({ length: 300 }, () => world.relays[Math.floor(random() * 3)] as SimulatedRelay);
      const worker = async (): Promise<void> => {
        for (let relay = attempts.pop(); relay !== undefined; relay = attempts.pop()) {
          const verdict = await relay.counters.take([hold('prefix', limit)], [], never);
          if (verdict.ok) admitted++;
          else assert.deepEqual({ ...verdict, current: 0 }, { ok: false, key: 'prefix', current: 0, maximum: limit });
        }
      };
      const workers = Promise.all(Array.from({ length: 8 }, worker));
      while (attempts.length > 0) await clock.run(5);
      await clock.run(1_000);
      await workers;
      assert.equal(admitted, limit);
    });
  }

  it('admit from a share without a word, and ask in one message for all keys of all who wait', async () => {
    const { clock, world, relays, take } = await rig();
    const key = keyOf('b');
    let taken = 0;
    while (taken < 20 || relays.a.counters.share(key) === taken) taken += Number((await take(relays.a, [hold(key, 1_000)], [], 10)).ok);
    const before = world.messages;
    assert.deepEqual(await relays.a.counters.take([hold(key, 1_000)], [], never), { ok: true });
    assert.equal(world.messages, before);
    const keys = Array.from({ length: 40 }, (_, i) => `many ${i}`).filter((one) => new Owners(IDS).of(one) === 'b');
    const all = Promise.all(keys.map((one) => relays.a.counters.take([hold(one, 5)], [], never)));
    await clock.run(50);
    assert.ok((await all).every(({ ok }) => ok));
    assert.equal(world.messages, before + 2);
  });

  it('take all keys or none', async () => {
    const { relays, take, clock } = await rig();
    const [free, full] = [keyOf('b'), keyOf('c')];
    assert.ok((await take(relays.c, [hold(full, 1)])).ok);
    assert.deepEqual(await take(relays.a, [hold(free, 1), hold(full, 1)], [rate('r', 1, 3_600_000)]), { ok: false, key: full, current: 1, maximum: 1 });
    await clock.run(3_000);
    assert.equal(relays.b.counters.total(free), 0);
    assert.ok((await take(relays.b, [hold(free, 1)], [rate('r', 1, 3_600_000)])).ok, 'what was taken for it is free again');
  });

  it('are full when they say so: what others do not use is asked back first', async () => {
    const world = await rig();
    const { relays, take } = world;
    const key = keyOf('b');
    let taken = 0;
    while (taken < 20 || relays.a.counters.share(key) === taken) taken += Number((await take(relays.a, [hold(key, 64)], [], 10)).ok);
    // Sooner than unused places go back by themselves.
    while ((await take(relays.c, [hold(key, 64)], [], 30)).ok) taken++;
    assert.equal(taken, 64);
  });

  it('give unused places back after two seconds, and forget keys of which there is nothing', async () => {
    const { relays, take, clock } = await rig();
    const key = keyOf('b');
    let taken = 0;
    while (taken < 10 || relays.a.counters.share(key) === taken) taken += Number((await take(relays.a, [hold(key, 1_000)], [], 10)).ok);
    await clock.run(3_000);
    assert.equal(relays.a.counters.share(key), taken);
    assert.equal(relays.b.counters.total(key), taken);
    relays.a.counters.give(Array<string>(taken).fill(key));
    await clock.run(3_000);
    assert.equal(relays.a.counters.share(key), undefined);
    assert.equal(relays.b.counters.total(key), 0);
    assert.equal(relays.a.counters.total(key), undefined, 'another relay counts it');
  });

  it('decide by their part of a limit where the owner does not answer, and at once where there is no link', async () => {
    const { relays, world, clock, take } = await rig();
    const key = keyOf('b');
    world.setLink('a', 'b', false);
    const verdicts = await Promise.all(Array.from({ length: 5 }, () => relays.a.counters.take([hold(key, 9)], [], never)));
    assert.deepEqual(verdicts.map(({ ok }) => ok), [true, true, true, false, false]);
    assert.deepEqual(verdicts[3], { ok: false, key, current: 3, maximum: 3 });
    const tokens = await Promise.all(Array.from({ length: 4 }, () => relays.a.counters.take([], [rate(key, 9, 9_000)], never)));
    assert.deepEqual(tokens.map(({ ok }) => ok), [true, true, true, false]);
    assert.deepEqual(tokens[3], { ok: false, key, current: 3, maximum: 3, retryAfterMs: 3_000 });
    world.setLink('a', 'b', true);
    await clock.run(1_000);
    assert.equal(relays.b.counters.total(key), 3, 'it has told the owner');
    assert.equal(await fill({ relays, world, clock, take }, key, 9), 6);
  });

  it('lend no more than their part when they are cut off, before anybody has missed them', async () => {
    const { relays, world, take } = await rig();
    const key = keyOf('b');
    assert.ok((await take(relays.b, [hold(key, 9)])).ok);
    world.setLink('a', 'b', false);
    world.setLink('b', 'c', false);
    const verdicts = await Promise.all(Array.from({ length: 4 }, () => relays.b.counters.take([hold(key, 9)], [], never)));
    assert.deepEqual(verdicts.map(({ ok }) => ok), [true, true, false, false]);
    world.setLink('a', 'b', true);
    // Two of three have the whole limit, and leave c what it may take by itself.
    let taken = 3;
    while ((await take(relays.a, [hold(key, 9)])).ok) taken++;
    assert.equal(taken, 6);
  });

  it('ask an owner again that was slow once, though the timer for that is a fraction of a millisecond early', async () => {
    const setting = await rig(1, 0.5);
    const { relays, world, clock, take } = setting;
    const key = keyOf('b');
    world.setStalled('b', 'a', true);
    assert.deepEqual(await take(relays.a, [hold(key, 9)]), { ok: true }, 'by itself');
    world.setStalled('b', 'a', false);
    await clock.run(2_000);
    assert.equal(relays.b.counters.total(key), 1, 'it has told the owner');
    assert.equal(await fill(setting, key, 9), 8);
  });

  it('bring back a place that was let go while somebody waited for one who then gave up', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    await (await letGoBesideOneWhoWaits(setting, key))();
    relays.b.setView(IDS, 3);
    await clock.run(5_000);
    assert.equal(relays.a.counters.share(key), undefined);
    assert.equal(relays.b.counters.total(key), 0);
  });

  it('never make go what is held, and count it: restated places are claimed, those that are gone are free', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    const own = keyOf('a');
    await relays.a.counters.restate(new Map([[key, 5], [own, 2]]));
    await clock.run(100);
    assert.equal(relays.b.counters.total(key), 5);
    assert.equal(relays.a.counters.total(own), 2);
    assert.equal(await fill(setting, key, 4), 0);
    await relays.a.counters.restate(new Map([[key, 1]]));
    await clock.run(3_000);
    assert.equal(relays.b.counters.total(key), 1);
    assert.equal(relays.a.counters.total(own), 0);
    assert.equal(await fill(setting, key, 4), 3);
  });

  it('claim what was taken without asking', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    relays.a.counters.add([key, key]);
    await clock.run(100);
    assert.equal(relays.b.counters.total(key), 2);
    relays.a.counters.give([key]);
    await clock.run(3_000);
    assert.equal(relays.b.counters.total(key), 1);
  });

  it('take nothing for who has given up, and nothing is lost by it', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    const giveUp = new AbortController();
    const asked = assert.rejects(relays.a.counters.take([hold(key, 3)], [], giveUp.signal), (error) => error instanceof RelaydError && error.code === 'CLOSED');
    giveUp.abort();
    await asked;
    await assert.rejects(relays.a.counters.take([hold(key, 3)], [], giveUp.signal), (error) => error instanceof RelaydError && error.code === 'CLOSED');
    await clock.run(3_000);
    assert.equal(relays.b.counters.total(key), 0);
    assert.equal(await fill(setting, key, 3), 3);
  });

  it('know what is held after the owner was restarted', async () => {
    const { world, relays, take, clock } = await rig();
    const key = keyOf('b');
    for (let i = 0; i < 3; i++) await take(relays.a, [hold(key, 4)]);
    await world.kill('b');
    const again = await world.add('b');
    again.setView(IDS, 3);
    await clock.run(1_000);
    assert.equal(again.counters.total(key), 3);
    assert.ok((await take(relays.c, [hold(key, 4)])).ok);
    assert.ok(!(await take(relays.a, [hold(key, 4)])).ok);
  });

  it('count anew after a stop and a start', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    assert.equal(await fill(setting, key, 4), 4);
    await relays.a.counters.stop();
    await relays.a.counters.start();
    await clock.run(1_500);
    assert.equal(relays.a.counters.share(key), undefined);
    await relays.a.counters.restate(new Map([[key, 2]]));
    await clock.run(100);
    assert.equal(relays.b.counters.total(key), 4);
  });

  it('give nothing back after a start that was lent before the stop', async () => {
    const setting = await rig();
    const { relays, clock } = setting;
    const key = keyOf('b');
    const giveUp = await letGoBesideOneWhoWaits(setting, key);
    await relays.a.counters.stop();
    await giveUp();
    relays.b.setView(IDS, 3);
    await relays.a.counters.start();
    await relays.a.counters.restate(new Map([[key, 1]]));
    await clock.run(5_000);
    assert.equal(relays.b.counters.total(key), 1);
  });

  it('refuse a key of rates with the time until there is a token', async () => {
    const { relays, take } = await rig();
    const key = keyOf('b');
    for (let i = 0; i < 2; i++) assert.ok((await take(relays.a, [], [rate(key, 2, 60_000)], 10)).ok);
    const refused = await take(relays.c, [], [rate(key, 2, 60_000)], 10);
    assert.ok(!refused.ok && refused.key === key && refused.maximum === 2);
    assert.ok((refused.retryAfterMs ?? 0) > 29_000 && (refused.retryAfterMs ?? 0) <= 30_000, String(refused.retryAfterMs));
  });

  it('hand the levels of buckets on to who owns them next', async () => {
    const { relays, world, clock, take } = await rig();
    const all = [...IDS, 'd'];
    const key = Array.from({ length: 1_000 }, (_, i) => `rate ${i}`).find((one) => new Owners(IDS).of(one) === 'b' && new Owners(all).of(one) === 'd') as string;
    for (let i = 0; i < 5; i++) assert.ok((await take(relays.a, [], [rate(key, 5, 3_600_000)], 10)).ok);
    await world.add('d');
    world.relays.forEach((relay) => relay.setView(all, 4));
    await clock.run(1_000);
    assert.ok(!(await take(relays.a, [], [rate(key, 5, 3_600_000)])).ok);
  });

  it('spend no more tokens than the rate allows, whoever asks and whoever joins', async () => {
    const rates = fc.record({ count: fc.integer({ min: 1, max: 60 }), perMs: fc.constantFrom(1_000, 10_000, 60_000) }, { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(fc.integer(), rates, async (seed, one: Rate) => {
        const random = seededRandom(seed);
        const { clock, world } = await rig(seed);
        // Tokens are lent for a second, so that all of a window may be spent in a second less.
        const allowed = new TokenBucket({ ...one, count: one.count }, clock);
        const ahead = Math.ceil((one.count * 1_100) / one.perMs) + 1;
        let excess = 0;
        const visit = async (relay: SimulatedRelay): Promise<void> => {
          const { ok } = await relay.counters.take([], [{ limit: 'rates.connectPerPrefix', key: 'rate', rate: one }], never);
          if (!ok) return;
          allowed.take(1);
          if (allowed.available < -ahead) excess++;
        };
        for (let i = 0; i < 400; i++) {
          void visit(world.relays[Math.floor(random() * world.relays.length)] as SimulatedRelay);
          await clock.run(random() * 20);
          if (i === 200) {
            await world.add('d');
            world.relays.forEach((relay) => relay.setView([...IDS, 'd'], 4));
          }
        }
        assert.equal(excess, 0);
      }),
      { numRuns: 15 },
    );
  });
});
