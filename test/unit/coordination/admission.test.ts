import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Admission } from '../../../src/coordination/admission.ts';
import type { Decider } from '../../../src/coordination/admission.ts';
import type { Counters, TakeVerdict } from '../../../src/coordination/backend.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { ClusterClaims, ClusterLimit, ClusterPermit, ClusterRefusal, ClusterVerdict, HoldClaim } from '../../../src/lib/cluster/relay-cluster.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';

const LIMIT: ClusterLimit = 'reservations.perPrefix';
const KEY = 'public/reservations.perPrefix/192.0.2.0/24';
const hold = (maximum = 9, key = KEY): HoldClaim => ({ limit: LIMIT, key, maximum });
const claims = (set: Partial<ClusterClaims> = {}): ClusterClaims => ({ holds: [hold()], rates: [], quotas: [], ...set });

/** A store that counts, answers when it is told to, and can be away. */
class Store implements Counters {
  readonly name = 'store';
  readonly counts = new Map<string, number>();
  asked = 0;
  restated: [string, number][][] = [];
  isAway = false;
  /** Answers wait for this. */
  hold: Promise<void> | undefined;

  start(): void {}
  stop(): void {}

  async take(holds: readonly HoldClaim[]): Promise<TakeVerdict> {
    this.asked++;
    await this.#answering();
    const full = holds.find(({ key, maximum }) => (this.counts.get(key) ?? 0) >= maximum);
    if (full !== undefined) return { ok: false, key: full.key, current: this.counts.get(full.key) ?? 0, maximum: full.maximum };
    holds.forEach(({ key }) => this.counts.set(key, (this.counts.get(key) ?? 0) + 1));
    return { ok: true };
  }

  give(keys: readonly string[]): void {
    keys.forEach((key) => this.counts.set(key, (this.counts.get(key) ?? 0) - 1));
  }

  add(keys: readonly string[]): void {
    keys.forEach((key) => this.counts.set(key, (this.counts.get(key) ?? 0) + 1));
  }

  async restate(held: ReadonlyMap<string, number>): Promise<void> {
    await this.#answering();
    this.restated.push([...held]);
    this.counts.clear();
    held.forEach((count, key) => this.counts.set(key, count));
  }

  async #answering(): Promise<void> {
    await this.hold;
    if (this.isAway) throw new RelaydError('STORE_UNAVAILABLE', 'away');
  }
}

describe('admission over a cluster', () => {
  let clock: ManualClock;
  let store: Store;
  let known: number;
  let usedUp: ClusterRefusal | undefined;
  let learns: ClusterRefusal | undefined;
  let decided: [Decider, boolean][];
  let admission: Admission;

  beforeEach(async () => {
    clock = new ManualClock();
    store = new Store();
    known = 3;
    usedUp = learns = undefined;
    decided = [];
    admission = new Admission({
      counters: store,
      decider: 'store',
      quotas: {
        refusal: () => usedUp,
        look: () => Promise.resolve(void (usedUp = learns)),
      },
      knownCount: () => known,
      rttMs: () => undefined,
      clock,
      log: silentLogger,
      onDecided: (by, admitted) => decided.push([by, admitted]),
    });
    await admission.restate();
  });

  const ask = (what = claims(), signal = new AbortController().signal): Promise<ClusterVerdict> => admission.admit(what, signal);

  const admitted = async (what?: ClusterClaims): Promise<ClusterPermit> => {
    const verdict = await ask(what);
    assert.ok(verdict.ok, JSON.stringify(verdict));
    return verdict.permit;
  };

  /** How many are admitted, one after the other, before one is refused. */
  const fill = async (): Promise<ClusterPermit[]> => {
    const permits: ClusterPermit[] = [];
    for (let verdict = await ask(); verdict.ok; verdict = await ask()) permits.push(verdict.permit);
    return permits;
  };

  it('is the store\'s decision, and a place is given back once', async () => {
    store.counts.set(KEY, 8);
    const permit = await admitted();
    const refused = await ask();
    assert.deepEqual(refused, { ok: false, limit: LIMIT, current: 9, maximum: 9 });
    permit.release();
    permit.release();
    assert.equal(store.counts.get(KEY), 8);
    assert.deepEqual(decided, [['store', true], ['store', false]]);
  });

  it('gives back some of the places, and the rest later', async () => {
    const permit = await admitted(claims({ holds: [hold(9, 'a'), hold(9, 'b')] }));
    permit.releaseOnly(['a', 'c']);
    assert.deepEqual([...store.counts], [['a', 0], ['b', 1]]);
    permit.release();
    assert.deepEqual([...store.counts], [['a', 0], ['b', 0]]);
  });

  it('asks nobody where nothing is claimed', async () => {
    await admitted(claims({ holds: [] }));
    assert.equal(store.asked, 0);
  });

  it('is refused by a quota that is used up before anything is asked, or that turns out to be while it is asked', async () => {
    const refusal: ClusterRefusal = { limit: 'quotas.peer', current: 10, maximum: 10, retryAfterMs: 5 };
    learns = refusal;
    assert.deepEqual(await ask(), { ok: false, ...refusal });
    assert.deepEqual([store.asked, store.counts.get(KEY)], [1, 0], 'the place was given back');
    assert.deepEqual(await ask(), { ok: false, ...refusal });
    assert.equal(store.asked, 1);
  });

  describe('while the store is away', () => {
    beforeEach(() => {
      store.isAway = true;
    });

    it('is decided here and at once, by this relay\'s part of each limit, with what it holds already', async () => {
      store.isAway = false;
      await admitted();
      store.isAway = true;
      assert.equal((await fill()).length, 2, 'a third of nine, of which it held one');
      assert.deepEqual(await ask(), { ok: false, limit: LIMIT, current: 3, maximum: 3 });
      assert.equal(store.asked, 2, 'the first miss is the last question');
      assert.ok(admission.isLocal);
    });

    it('makes nobody go who is here already, though they are more than its part', async () => {
      store.isAway = false;
      const permits = [await admitted(), await admitted(), await admitted(), await admitted()];
      store.isAway = true;
      assert.deepEqual(await ask(), { ok: false, limit: LIMIT, current: 4, maximum: 3 });
      permits.forEach((permit) => permit.release());
      assert.equal((await fill()).length, 3);
    });

    it('has the whole limit where no other relay is known', async () => {
      known = 1;
      assert.equal((await fill()).length, 9);
    });

    it('counts rates here too, and says when to come again', async () => {
      const rates = [{ limit: 'rates.reservePerPeer' as const, key: 'public/rates.reservePerPeer/x', rate: { count: 6, perMs: 60_000 } }];
      const what = claims({ holds: [], rates });
      await admitted(what);
      await admitted(what);
      assert.deepEqual(await ask(what), { ok: false, limit: 'rates.reservePerPeer', current: 2, maximum: 2, retryAfterMs: 30_000 });
      clock.advance(30_000);
      await admitted(what);
    });

    it('gives one place of a limit that is smaller than the number of relays', async () => {
      await admitted(claims({ holds: [hold(2)] }));
      assert.deepEqual(await ask(claims({ holds: [hold(2)] })), { ok: false, limit: 'reservations.perPrefix', current: 1, maximum: 1 });
    });

    it('spends no token on who is refused for a place', async () => {
      const rates = [{ limit: 'rates.reservePerPeer' as const, key: 'r', rate: { count: 3, perMs: 60_000 } }];
      assert.equal((await ask(claims({ holds: [hold(0)], rates }))).ok, false);
      await admitted(claims({ holds: [], rates }));
    });

    it('tells the store afterwards what it holds, and asks it again', async () => {
      const permits = await fill();
      store.isAway = false;
      store.counts.set(KEY, 6);
      await admission.restate();
      assert.deepEqual(store.restated.at(-1), [[KEY, 3]]);
      await admitted();
      assert.equal(store.counts.get(KEY), 4);
      permits.forEach((permit) => permit.release());
      assert.equal(store.counts.get(KEY), 1, 'what was admitted without the store is given back to it, for it knows of it now');
    });

    it('gives the store nothing back of which it has never heard', async () => {
      const [permit] = await fill();
      permit?.release();
      assert.deepEqual([...store.counts], []);
    });

    it('goes on here when the store cannot be told', async () => {
      await fill();
      await assert.rejects(admission.restate());
      assert.ok(admission.isLocal);
    });
  });

  describe('when an answer is late', () => {
    let answer: () => void;

    beforeEach(() => {
      store.hold = new Promise((resolve) => (answer = resolve));
    });

    it('does not wait for it longer than a client would notice, and gives back what it brings', async () => {
      const asked = ask();
      await settled();
      clock.advance(250);
      const verdict = await asked;
      assert.ok(verdict.ok);
      assert.deepEqual(decided, [['local', true]]);
      await admission.admit(claims({ holds: [] }), new AbortController().signal);
      answer();
      await settled();
      assert.equal(store.counts.get(KEY), 1, 'the store counted it; nothing is told while it counts as away');
      await admission.restate();
      assert.equal(store.counts.get(KEY), 1, 'the one that was admitted here');
    });

    it('has learnt from the answers before how long they take', async () => {
      answer();
      await admitted();
      store.hold = new Promise((resolve) => (answer = resolve));
      const asked = ask();
      await settled();
      clock.advance(24);
      await settled();
      assert.equal(decided.length, 1);
      clock.advance(1);
      await asked;
      assert.deepEqual(decided.at(-1), ['local', true], 'after 25 ms, for the answer before came at once');
      answer();
    });

    it('is closed for who gives up, and whatever the answer brings is given back', async () => {
      const gone = new AbortController();
      const asked = ask(claims(), gone.signal);
      await settled();
      gone.abort(new Error('the peer has gone'));
      await assert.rejects(asked, (error) => error instanceof RelaydError && error.code === 'CLOSED');
      answer();
      await settled();
      assert.equal(store.counts.get(KEY), 0);
      assert.ok(!admission.isLocal, 'that says nothing of the store');
    });
  });

  it('gives nothing back of what was admitted here while the store was slow to be told of the rest', async () => {
    await admitted();
    admission.storeAway();
    let done = (): void => {};
    store.hold = new Promise((resolve) => (done = resolve));
    const restating = admission.restate();
    await settled();
    const asked = ask();
    await settled();
    clock.advance(250);
    const verdict = await asked;
    assert.deepEqual(decided.at(-1), ['local', true]);
    done();
    await restating;
    assert.ok(!admission.isLocal);
    if (verdict.ok) verdict.permit.release();
    assert.equal(store.counts.get(KEY), 1);
  });

  describe('when telling the store takes long', () => {
    let told: () => void;
    let restating: Promise<void>;

    const tellSlowly = async (): Promise<void> => {
      store.hold = new Promise((resolve) => (told = resolve));
      restating = admission.restate();
      await settled();
    };

    const waitOnce = async (): Promise<void> => {
      const asked = ask();
      await settled();
      clock.advance(250);
      await asked;
      assert.deepEqual(decided.at(-1), ['local', true]);
    };

    it('keeps one request waiting, and nobody after it', async () => {
      admission.storeAway();
      await tellSlowly();
      await waitOnce();
      await admitted();
      assert.deepEqual([decided.at(-1), clock.pending], [['local', true], 0], 'at once, for the clock stands still');
      told();
      await restating;
    });

    it('tells what was admitted meanwhile too, before anything is taken there', async () => {
      admission.storeAway();
      await tellSlowly();
      await waitOnce();
      const permit = await admitted();
      told();
      await restating;
      assert.equal(store.counts.get(KEY), 2);
      await admitted();
      assert.deepEqual([decided.at(-1), store.counts.get(KEY)], [['store', true], 3]);
      permit.release();
      assert.equal(store.counts.get(KEY), 2);
    });

    it('forgets nothing that was admitted just before the end of it, and nothing is given back that was not counted', async () => {
      admission.storeAway();
      await tellSlowly();
      await waitOnce();
      const permits = [await admitted(), await admitted()];
      permits[0]!.release();
      told();
      await restating;
      assert.deepEqual([store.restated.length, store.counts.get(KEY)], [2, 2], 'without another whole telling');
      assert.equal((await fill()).length, 7);
      permits[1]!.release();
      assert.equal(store.counts.get(KEY), 8);
      await admission.restate();
      assert.equal(store.counts.get(KEY), 8);
    });

    it('is told all again when the store went away before the end of it', async () => {
      await tellSlowly();
      await waitOnce();
      admission.storeAway();
      told();
      await restating;
      assert.equal(store.counts.get(KEY), undefined);
      await admission.restate();
      assert.equal(store.counts.get(KEY), 1);
    });

    it('is no reason to give a store up that was there', async () => {
      await tellSlowly();
      await waitOnce();
      told();
      await restating;
      assert.ok(!admission.isLocal);
      await admitted();
      assert.deepEqual(decided.at(-1), ['store', true]);
    });

    it('is not shown by one who gives up waiting', async () => {
      await tellSlowly();
      const gone = new AbortController();
      const asked = ask(claims(), gone.signal);
      await settled();
      gone.abort(new Error('the peer has gone'));
      await assert.rejects(asked);
      const next = ask();
      await settled();
      assert.equal(decided.length, 0, 'the next one waits for its turn');
      told();
      await restating;
      assert.ok((await next).ok);
      assert.deepEqual(decided, [['store', true]]);
    });
  });

  it('takes nothing while the store is being told, and counts nothing twice', async () => {
    await admitted();
    let done = (): void => {};
    store.hold = new Promise((resolve) => (done = resolve));
    const restating = admission.restate();
    const asked = ask();
    await settled();
    assert.equal(store.asked, 1, 'the second waits');
    done();
    await restating;
    assert.ok((await asked).ok);
    assert.deepEqual([store.restated.at(-1), store.counts.get(KEY)], [[[KEY, 1]], 2]);
  });
});
