import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LEASE_MS } from '../../../src/coordination/backend.ts';
import type { TakeVerdict } from '../../../src/coordination/backend.ts';
import type { HoldClaim, RateClaim } from '../../../src/lib/cluster/relay-cluster.ts';
import type { Rig, RigRelay } from '../../support/coordination/rig.ts';
import { signedList } from '../../support/coordination/signed.ts';
import { PATIENCE_MS, until, within } from '../../support/waiting.ts';

/** A relay that beats no more is out of the registry after its lease and a little, on a slow machine a little more. */
const LAPSE_MS = LEASE_MS + PATIENCE_MS;
/** What was cut off is one cluster again within this time (faults.md), on a machine that runs tests beside. */
const HEAL_MS = 5_000 + PATIENCE_MS;
/** No single request may take longer, whatever has happened to the store. */
const REQUEST_MS = 5_000;

const HOUR_MS = 3_600_000;
/** Short to wait for, and long enough to be seen before it is over. */
const SHORT_MS = 4_000;

/**
 * What every coordination backend does, with its real servers: what one relay says, the others hear; what is counted is counted over all of
 * them; what is cut off comes back. `makeRig` says why it cannot run where a server is not installed.
 */
export function coordinationSuite(name: string, makeRig: () => Promise<Rig>, skip: string | false): void {
  describe(`coordination over ${name}`, { skip, concurrency: 1 }, () => {
    let rig: Rig;
    let [a, b, c]: RigRelay[] = [];
    const relays = (): [RigRelay, RigRelay, RigRelay] => [a, b, c] as [RigRelay, RigRelay, RigRelay];

    before(async () => {
      rig = await makeRig();
      [a, b, c] = [await rig.relay(), await rig.relay(), await rig.relay()];
      const all = relays();
      await until(() => all.every((one) => all.every((other) => other === one || one.heard.relays.has(other.id))), 'three relays know each other', HEAL_MS);
    });

    after(async () => await rig?.stop());

    it('tells each relay of the others, with the record of each', () => {
      for (const one of relays()) {
        const others = relays().filter((other) => other !== one);
        assert.deepEqual([...one.heard.relays.keys()].toSorted(), others.map(({ id }) => id).toSorted());
        assert.equal(one.registry.problem, undefined);
      }
    });

    it('lets every relay find who holds a reservation, and forgets it when it is let go', async () => {
      const [first, second, third] = relays();
      await first.registry.publish([{ peer: 'target-1', ttlMs: HOUR_MS }]);
      await untilHolders(third, 'target-1', [first.id]);
      await second.registry.publish([{ peer: 'target-1', ttlMs: HOUR_MS }]);
      await untilHolders(third, 'target-1', [second.id, first.id]);
      assert.deepEqual(await holders(third, 'nobody'), []);
      await second.registry.publish([{ peer: 'target-1', ttlMs: undefined }]);
      await untilHolders(third, 'target-1', [first.id]);
      await untilHolders(first, 'target-1', [first.id]);
      await first.registry.publish([{ peer: 'target-1', ttlMs: undefined }]);
      await untilHolders(third, 'target-1', []);
    });

    it('takes the changes of a batch in their order', async () => {
      const [first, second] = relays();
      await first.registry.publish([{ peer: 'twice', ttlMs: HOUR_MS }, { peer: 'twice', ttlMs: undefined }, { peer: 'again', ttlMs: undefined }, { peer: 'again', ttlMs: HOUR_MS }]);
      await untilHolders(second, 'again', [first.id]);
      assert.deepEqual(await holders(second, 'twice'), []);
    });

    it('ends a reservation that nobody renews when its time is over', async () => {
      const [first, second] = relays();
      await first.registry.publish([{ peer: 'short', ttlMs: SHORT_MS }]);
      await untilHolders(second, 'short', [first.id]);
      await untilHolders(second, 'short', []);
    });

    it('takes a whole list in place of what was told before', async () => {
      const [first, second] = relays();
      await first.registry.publish(many('old', 300));
      await untilHolders(second, 'old-299', [first.id]);
      await first.registry.publishAll(many('new', 300));
      await untilHolders(second, 'new-299', [first.id]);
      assert.deepEqual(await holders(second, 'old-0'), []);
      assert.deepEqual(await holders(second, 'old-299'), []);
      assert.deepEqual(await holders(second, 'new-0'), [first.id]);
      await first.registry.publishAll([]);
      await untilHolders(second, 'new-150', []);
    });

    it('counts places over all relays: never one more than the limit, and none refused while there is room', async () => {
      const claim = hold('all/room/1', 100);
      const attempts = await inParallel(300, 8, async () => await take(relays()[Math.floor(Math.random() * 3)] as RigRelay, [claim]));
      assert.equal(admitted(attempts), 100);
      const refused = attempts.find((verdict) => !verdict.ok) as Extract<TakeVerdict, { ok: false }>;
      assert.equal(refused.key, claim.key);
      assert.equal(refused.maximum, 100);
    });

    it('gives places back to whoever needs them', async () => {
      const [first, second, third] = relays();
      const claim = hold('all/room/2', 8);
      const verdicts = await inParallel(8, 4, () => take(first, [claim]));
      assert.equal(admitted(verdicts), 8);
      assert.equal((await take(second, [claim])).ok, false);
      first.counters.give([claim.key, claim.key, claim.key]);
      await untilTakes(third, [claim], 3);
      assert.equal((await take(second, [claim])).ok, false);
    });

    it('takes all places of a request, or none', async () => {
      const [first, second] = relays();
      const [narrow, wide] = [hold('all/narrow', 1), hold('all/wide', 5)];
      assert.equal((await take(first, [narrow])).ok, true);
      for (let i = 0; i < 10; i++) assert.equal((await take(second, [wide, narrow])).ok, false);
      await untilTakes(second, [wide], 5);
    });

    it('sets a count right when a relay says what it really holds', async () => {
      const [first, second] = relays();
      const claim = hold('all/restated', 10);
      await inParallel(10, 4, () => take(first, [claim]));
      await first.counters.restate(new Map([[claim.key, 4]]));
      await untilTakes(second, [claim], 6);
      assert.equal((await take(second, [claim])).ok, false);
      await Promise.all([first.counters.restate(new Map()), second.counters.restate(new Map())]);
    });

    it('spends tokens of one bucket on all relays', async () => {
      const rate: RateClaim = { limit: 'rates.reservePerPeer', key: 'all/rate', rate: { count: 20, perMs: HOUR_MS } };
      const verdicts = await inParallel(60, 6, (i) => takeRate(relays()[i % 3] as RigRelay, rate));
      assert.equal(admitted(verdicts), 20);
      const refused = verdicts.find((verdict) => !verdict.ok) as Extract<TakeVerdict, { ok: false }>;
      assert.ok((refused.retryAfterMs ?? 0) > 0, 'says when to come again');
    });

    it('adds up what all relays, and all their runs, have used of a quota', async () => {
      const [first, second, third] = relays();
      const used = (key: string, bytes: number): { key: string; window: string; bytes: number }[] => [{ key, window: '2026-11-21', bytes }];
      assert.deepEqual(await report(first, used('quota/1', 1_000)), [1_000]);
      await untilTotal(second, used('quota/1', 500), 1_500);
      await untilTotal(third, used('quota/1', 0), 1_500);
      await untilTotal(first, used('quota/1', 4_000), 4_500);
      assert.deepEqual(await report(first, used('quota/1', 0)), [4_500], 'a count never falls, whatever is told');
      await untilTotal(third, used('quota/1', 0), 4_500);
      assert.deepEqual(await report(first, used('quota/0', 0)), [0]);
      assert.deepEqual(await report(third, [...used('quota/2', 7), { key: 'quota/1', window: '2026-11', bytes: 3 }]), [7, 3], 'each key and window by itself');
    });

    it('passes revocation lists on, the newest of each authority, and never an older one', async () => {
      const [first, second, third] = relays();
      await first.registry.tellRevocations(signedList(5));
      await until(() => [second, third].every(({ heard }) => heard.lists.get('aa')?.sequence === 5), 'the list has reached the others');
      await second.registry.tellRevocations(signedList(4));
      await second.registry.tellRevocations(signedList(1, 'bb'));
      await until(() => [first, third].every(({ heard }) => heard.lists.get('bb')?.sequence === 1), 'the other authority\'s list has reached the others');
      assert.equal(third.heard.lists.get('aa')?.sequence, 5);
      const late = await rig.relay();
      try {
        await until(() => late.heard.lists.get('aa')?.sequence === 5 && late.heard.lists.get('bb')?.sequence === 1, 'who comes later has the newest lists too', HEAL_MS);
      } finally {
        await late.stop();
      }
    });

    it('says at once that a relay has left, and forgets all that it held', async () => {
      const [first] = relays();
      const guest = await rig.relay();
      await until(() => first.heard.relays.has(guest.id), 'the guest is known', HEAL_MS);
      const claim = hold('all/left', 2);
      await untilTakes(guest, [claim], 2);
      await guest.registry.publish([{ peer: 'guest-target', ttlMs: HOUR_MS }]);
      await untilHolders(first, 'guest-target', [guest.id]);
      await guest.stop();
      await until(() => first.heard.goneBecause.get(guest.id) === 'left', 'the guest has left', LEASE_MS);
      await untilHolders(first, 'guest-target', []);
      await untilTakes(first, [claim], 2);
      first.counters.give([claim.key, claim.key]);
    });

    it('takes a killed relay out of the registry when its lease is over, with its reservations and places, and takes its next run in', async () => {
      const [first, second] = relays();
      const victim = await rig.relay();
      await until(() => [first, second].every(({ heard }) => heard.relays.has(victim.id)), 'the victim is known', HEAL_MS);
      const claim = hold('all/killed', 3);
      await untilTakes(victim, [claim], 3);
      await victim.registry.publish([{ peer: 'victim-target', ttlMs: HOUR_MS }]);
      await untilHolders(first, 'victim-target', [victim.id]);
      await victim.kill();
      await until(() => [first, second].every(({ heard }) => heard.goneBecause.get(victim.id) === 'lapsed'), 'its lease is over', LAPSE_MS);
      await untilHolders(first, 'victim-target', []);
      await untilTakes(first, [claim], 3);
      first.counters.give([claim.key, claim.key, claim.key]);
      const next = await rig.relay({ again: victim });
      await until(() => first.heard.relays.has(next.id), 'its next run is known', HEAL_MS);
      assert.deepEqual(await holders(first, 'victim-target'), [], 'what the run before held is over');
      await next.stop();
    });

    it('lets the next run of a relay take the place of one whose lease still holds', async () => {
      const [first] = relays();
      const victim = await rig.relay();
      await until(() => first.heard.relays.has(victim.id), 'the relay is known', HEAL_MS);
      const claim = hold('all/restarted', 3);
      await untilTakes(victim, [claim], 3);
      await victim.registry.publish([{ peer: 'restart-target', ttlMs: HOUR_MS }]);
      await untilHolders(first, 'restart-target', [victim.id]);
      await victim.kill();
      const next = await rig.relay({ again: victim });
      await untilHolders(first, 'restart-target', []);
      await untilTakes(first, [claim], 3);
      first.counters.give([claim.key, claim.key, claim.key]);
      await next.stop();
    });

    it('goes on without a relay that is cut off, within the bound, and is one again when it heals', async () => {
      const [first, second, third] = relays();
      await third.registry.publish([{ peer: 'cut-target', ttlMs: HOUR_MS }]);
      await untilHolders(first, 'cut-target', [third.id]);
      const heal = await rig.cut(third);
      try {
        await until(() => [first, second].every(({ heard }) => heard.goneBecause.get(third.id) === 'lapsed'), 'the two others take it for gone', LAPSE_MS);
        assert.equal((await take(first, [hold('all/while-cut', 5)])).ok, true);
        await first.registry.publish([{ peer: 'while-cut', ttlMs: HOUR_MS }]);
        await untilHolders(second, 'while-cut', [first.id]);
        // Whatever the backend is, the one that is cut off gets an answer, or an error, in time.
        await within(take(third, [hold('all/while-cut', 5)]).catch(() => undefined), 'an answer to the relay that is cut off', REQUEST_MS);
        await first.registry.tellRevocations(signedList(9, 'cc'));
      } finally {
        await heal();
      }
      await until(() => third.registry.problem === undefined && third.heard.lists.get('cc')?.sequence === 9, 'it has heard what was told meanwhile', HEAL_MS);
      await until(() => [first, second].every(({ heard }) => heard.relays.has(third.id)), 'it is known again', HEAL_MS);
      // As the coordinator does when the store is back.
      await third.registry.publishAll([{ peer: 'cut-target', ttlMs: HOUR_MS }]);
      await third.counters.restate(new Map());
      await untilHolders(first, 'cut-target', [third.id]);
      await untilHolders(third, 'while-cut', [first.id]);
    });

    it('has the relays tell everything again when the store has lost it', async (t) => {
      if (rig.forget === undefined) {
        t.skip('there is no store');
        return;
      }
      const [first, second] = relays();
      await first.registry.publish([{ peer: 'forgotten', ttlMs: HOUR_MS }]);
      await untilHolders(second, 'forgotten', [first.id]);
      const staleBefore = relays().map(({ heard }) => heard.staleTimes);
      await rig.forget();
      await until(() => relays().every(({ heard }, i) => heard.staleTimes > (staleBefore[i] ?? 0)), 'each relay is told that the store has lost what it said', LAPSE_MS);
      await first.registry.publishAll([{ peer: 'forgotten', ttlMs: HOUR_MS }]);
      await untilHolders(second, 'forgotten', [first.id]);
    });

    it('fences a run that another with the same identity has followed', async () => {
      const older = await rig.relay();
      const newer = await rig.relay({ again: older });
      try {
        await until(() => older.heard.fencedTimes > 0, 'the older run is told', LAPSE_MS);
        assert.equal(newer.heard.fencedTimes, 0);
      } finally {
        await newer.stop();
        await older.kill();
      }
    });
  });
}

function hold(key: string, maximum: number): HoldClaim {
  return { limit: 'reservations.perPrefix', key, maximum };
}

function many(prefix: string, count: number): { peer: string; ttlMs: number }[] {
  return Array.from({ length: count }, (_, i) => ({ peer: `${prefix}-${i}`, ttlMs: HOUR_MS }));
}

function take(relay: RigRelay, holds: readonly HoldClaim[]): Promise<TakeVerdict> {
  return relay.counters.take(holds, [], AbortSignal.timeout(REQUEST_MS));
}

function takeRate(relay: RigRelay, rate: RateClaim): Promise<TakeVerdict> {
  return relay.counters.take([], [rate], AbortSignal.timeout(REQUEST_MS));
}

function holders(relay: RigRelay, peer: string): Promise<string[]> {
  return relay.registry.holders(peer, AbortSignal.timeout(REQUEST_MS));
}

function report(relay: RigRelay, usage: Parameters<RigRelay['registry']['report']>[0]): Promise<number[]> {
  return relay.registry.report(usage, AbortSignal.timeout(REQUEST_MS));
}

async function untilHolders(relay: RigRelay, peer: string, expected: readonly string[]): Promise<void> {
  let found: string[] = [];
  await until(async () => {
    found = await holders(relay, peer);
    return JSON.stringify(found) === JSON.stringify(expected);
  }, `${peer} is held by ${expected.length} relays`, HEAL_MS).catch((error: unknown) => {
    throw new Error(`${peer}: held by [${found.join()}], not by [${expected.join()}]`, { cause: error });
  });
}

/** Takes `count` in all, as soon as there is room for them. */
async function untilTakes(relay: RigRelay, holds: readonly HoldClaim[], count: number): Promise<void> {
  for (let taken = 0; taken < count; taken++) {
    await until(async () => (await take(relay, holds)).ok, `there is room for ${count} at ${holds.map(({ key }) => key).join()}`, LAPSE_MS);
  }
}

async function untilTotal(relay: RigRelay, usage: Parameters<RigRelay['registry']['report']>[0], total: number): Promise<void> {
  await until(async () => (await report(relay, usage))[0] === total, `the total is ${total}`);
}

function admitted(verdicts: readonly TakeVerdict[]): number {
  return verdicts.filter(({ ok }) => ok).length;
}

/** Runs `count` of `work`, `width` at a time. */
async function inParallel<T>(count: number, width: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
