import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { LEASE_MS } from '../../../src/coordination/backend.ts';
import { MAX_RECORD_BYTES } from '../../../src/coordination/record.ts';
import { KNOWN_FOR_MS } from '../../../src/coordination/relay-memory.ts';
import type { RememberedRelay } from '../../../src/coordination/relay-memory.ts';
import { Relays } from '../../../src/coordination/relays.ts';
import type { Rejection } from '../../../src/coordination/relays.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

const unheard = (peer: string): RememberedRelay => ({ peer, epoch: 0, sequence: 0, mayBeAtWork: true });

describe('the relays of a cluster', () => {
  let self: ARelay;
  let one: ARelay;
  let two: ARelay;
  let clock: ManualClock;
  let relays: Relays;
  let rejected: Rejection[];
  let changes: number;
  let linked: Set<string>;

  before(async () => {
    [self, one, two] = await Promise.all([aRelay(), aRelay(), aRelay()]);
  });

  beforeEach(() => {
    clock = new ManualClock();
    rejected = [];
    changes = 0;
    linked = new Set();
    relays = make();
    relays.onChange(() => changes++);
  });

  const make = (secret = SECRET): Relays => new Relays({ self: self.name, secret, isLinked: (peer) => linked.has(peer), clock, log: silentLogger, onRejected: (why) => rejected.push(why) });

  const live = (): string[] => relays.live().map(({ peer }) => peer);

  it('are there when they are heard, and say what has changed', async () => {
    relays.heard(one.name, await one.seal());
    relays.heard(two.name, await two.seal());
    relays.heard(one.name, await one.seal({ sequence: 2, state: 'draining' }));
    await settled();
    assert.deepEqual(relays.live().map(({ peer, record }) => [peer, record.state]), [[one.name, 'draining'], [two.name, 'ready']]);
    assert.deepEqual([relays.knownCount(), changes], [3, 3]);
  });

  it('are no news when they say the same again, but were heard', async () => {
    const sealed = await one.seal();
    relays.heard(one.name, sealed);
    await settled();
    clock.advance(1_000);
    relays.heard(one.name, sealed);
    await settled();
    assert.deepEqual([changes, relays.live()[0]?.heardAt], [1, 1_000]);
  });

  it('are not believed when somebody else says it, says it without the secret, or repeats what is over', async () => {
    relays.heard(one.name, await one.seal({ sequence: 5 }));
    relays.heard(one.name, await two.seal({ sequence: 6 }));
    relays.heard(one.name, await one.seal({ sequence: 6 }, new ClusterSecret(['11'.repeat(32)], 'test', silentLogger)));
    relays.heard(one.name, await one.seal({ sequence: 4, state: 'draining' }));
    relays.heard(one.name, await one.seal({ epoch: 6, sequence: 9, state: 'draining' }));
    relays.heard(one.name, Uint8Array.of(1, 2, 3));
    relays.heard('no peer id', await one.seal({ sequence: 7 }));
    await settled();
    assert.deepEqual(rejected, ['signature', 'secret', 'replayed', 'replayed', 'malformed', 'malformed']);
    assert.deepEqual(relays.live().map(({ record }) => [record.sequence, record.state]), [[5, 'ready']]);
  });

  it('say no more than a record holds: what is longer is refused before it waits for its turn', () => {
    relays.heard(one.name, new Uint8Array(MAX_RECORD_BYTES + 1));
    assert.deepEqual(rejected, ['malformed']);
  });

  it('that are not believed are complained of once a minute each, and not at the speed of who writes them', async () => {
    const said: unknown[] = [];
    relays = new Relays({ self: self.name, secret: SECRET, clock, isLinked: () => false, log: { ...silentLogger, warn: (about: unknown) => void said.push(about) }, onRejected: (why) => rejected.push(why) });
    for (let i = 0; i < 50; i++) relays.heard(one.name, Uint8Array.of(i));
    await settled();
    assert.deepEqual([rejected.length, said.length], [50, 1]);
    for (let i = 0; i < 100; i++) relays.heard(`made up ${i}`, Uint8Array.of(i));
    await settled();
    assert.deepEqual([rejected.length, said.length], [150, 20], 'names cost nothing');
    clock.advance(60_000);
    relays.heard(one.name, Uint8Array.of(1));
    await settled();
    assert.equal(said.length, 21);
  });

  describe('when the secret of the cluster changes', () => {
    const [OLD, NEW] = ['0d'.repeat(32), '4e'.repeat(32)];
    const [old, fresh] = [OLD, NEW].map((hex) => new ClusterSecret([hex], 'test', silentLogger));
    let secret: ClusterSecret;

    beforeEach(() => {
      secret = new ClusterSecret([OLD, NEW], 'test', silentLogger);
      relays = make(secret);
    });

    it('stay as long as they say with either what they say, and are dropped by the end of a lease when that was the old one', async () => {
      relays.heard(one.name, await one.seal({}, old));
      const stale = await two.seal({}, old);
      relays.heard(two.name, stale);
      await settled();
      secret.replace([NEW, OLD]);
      clock.advance(2 * LEASE_MS);
      await settled();
      assert.deepEqual(live(), [one.name, two.name], 'both are accepted');
      secret.replace([NEW]);
      relays.heard(one.name, await one.seal({ sequence: 2 }, fresh));
      relays.heard(two.name, stale);
      await settled();
      clock.advance(LEASE_MS - 1);
      await settled();
      assert.deepEqual(live(), [one.name, two.name], 'the new record may be on its way');
      clock.advance(1);
      await settled();
      assert.deepEqual(live(), [one.name]);
      relays.heard(two.name, stale);
      await settled();
      assert.deepEqual([live(), rejected], [[one.name], ['secret']], 'a store that goes on telling of it changes nothing');
    });

    it('are there at once when their record could not be read before, or any more', async () => {
      secret.replace([OLD]);
      relays.heard(one.name, await one.seal({}, fresh));
      relays.heard(two.name, await two.seal({}, old));
      await settled();
      assert.deepEqual([live(), rejected], [[two.name], ['secret']]);
      secret.replace([OLD, NEW]);
      await settled();
      assert.deepEqual(live(), [two.name, one.name]);
      secret.replace([NEW]);
      clock.advance(LEASE_MS);
      await settled();
      assert.deepEqual(live(), [one.name]);
      secret.replace([NEW, OLD]);
      await settled();
      assert.deepEqual([live(), rejected], [[one.name, two.name], ['secret']]);
    });

    it('are not there again when they have gone meanwhile, or this relay has stopped', async () => {
      secret.replace([OLD]);
      for (const relay of [one, two]) relays.heard(relay.name, await relay.seal({}, fresh));
      relays.gone(one.name, 'left');
      await settled();
      secret.replace([OLD, NEW]);
      await settled();
      assert.deepEqual(live(), [two.name]);
      secret.replace([OLD]);
      relays.heard(two.name, await two.seal({ sequence: 2 }, fresh));
      await settled();
      relays.clear();
      clock.advance(LEASE_MS);
      secret.replace([NEW]);
      await settled();
      assert.deepEqual(live(), []);
      assert.equal(clock.pending, 0, 'nothing is left of a relay that has stopped');
    });

    it('are judged though their record was being checked when the secret changed', async () => {
      relays.heard(one.name, await one.seal({}, old));
      // So far that it has been opened with the old one.
      await Promise.resolve();
      secret.replace([NEW]);
      await settled();
      assert.deepEqual(live(), [one.name]);
      clock.advance(LEASE_MS);
      await settled();
      assert.deepEqual(live(), []);
    });
  });

  it('may begin their numbers anew with a later epoch', async () => {
    relays.heard(one.name, await one.seal({ sequence: 5 }));
    relays.heard(one.name, await one.seal({ epoch: 8, sequence: 1 }));
    await settled();
    assert.deepEqual([rejected, relays.live()[0]?.record.epoch], [[], 8]);
  });

  it('never include this one, whoever speaks of it', async () => {
    relays.heard(self.name, await self.seal());
    await settled();
    assert.deepEqual([live(), relays.knownCount()], [[], 1]);
  });

  it('that lapsed are known for ten minutes, and are looked for longer; those that left are not', async () => {
    relays.heard(one.name, await one.seal());
    relays.heard(two.name, await two.seal());
    await settled();
    clock.advance(3_600_000);
    relays.gone(one.name, 'lapsed');
    relays.gone(two.name, 'left');
    await settled();
    assert.deepEqual([live(), relays.known()], [[], [one.name]]);
    assert.deepEqual(relays.targets(), [{ peer: one.name, addrs: [...one.facts().linkAddrs, ...one.facts().addrs] }]);
    clock.advance(KNOWN_FOR_MS + 1);
    assert.deepEqual([relays.knownCount(), relays.targets().length], [1, 1]);
    clock.advance(24 * 3_600_000);
    assert.equal(relays.targets().length, 0);
  });

  it('that lapsed are warned of, and those that left are told', async () => {
    const said: unknown[] = [];
    const say = (level: string) => (about: object) => void said.push({ level, ...about });
    relays = new Relays({ self: self.name, secret: SECRET, isLinked: () => false, clock, log: { ...silentLogger, info: say('info'), warn: say('warn') }, onRejected: (why) => rejected.push(why) });
    for (const relay of [one, two]) relays.heard(relay.name, await relay.seal());
    await settled();
    said.length = 0;
    relays.gone(one.name, 'lapsed');
    relays.gone(two.name, 'left');
    await settled();
    assert.deepEqual(said, [{ level: 'warn', relay: one.name, why: 'lapsed' }, { level: 'info', relay: two.name, why: 'left' }]);
  });

  it('do not come back by what they said before they left', async () => {
    const earlier = await one.seal({ sequence: 3 });
    relays.heard(one.name, await one.seal({ sequence: 4, state: 'draining' }));
    relays.gone(one.name, 'left');
    relays.heard(one.name, earlier);
    await settled();
    assert.deepEqual([live(), rejected], [[], ['replayed']]);
  });

  it('that go while their record is being checked are gone', async () => {
    relays.heard(one.name, await one.seal());
    relays.gone(one.name, 'lapsed');
    await settled();
    assert.deepEqual(live(), []);
  });

  it('of the last run are taken to be at work until they have not been heard of for as long', () => {
    relays.remember([one, two, self].map(({ name }) => unheard(name)));
    assert.equal(relays.knownCount(), 3);
    clock.advance(KNOWN_FOR_MS + 1);
    assert.equal(relays.knownCount(), 1);
  });

  it('are taken to be at work when they are named, though they had left before', () => {
    relays.remember([{ ...unheard(one.name), epoch: 7, sequence: 4, mayBeAtWork: false }]);
    assert.equal(relays.knownCount(), 1);
    relays.remember([unheard(one.name)]);
    assert.deepEqual([relays.knownCount(), relays.toRemember()], [2, [{ peer: one.name, epoch: 7, sequence: 4, mayBeAtWork: true }]]);
  });

  it('cannot be brought back by what they said before, though this relay has been started anew, or long after', async () => {
    const [ofOne, ofTwo] = [await one.seal({ sequence: 3 }), await two.seal({ sequence: 3 })];
    relays.heard(one.name, await one.seal({ sequence: 4 }));
    relays.heard(two.name, await two.seal({ epoch: 8 }));
    relays.gone(two.name, 'left');
    await settled();
    const remembered = relays.toRemember();
    assert.deepEqual(remembered.map(({ mayBeAtWork }) => mayBeAtWork), [true, false]);
    relays = make();
    relays.remember(remembered);
    assert.deepEqual(relays.known(), [one.name]);
    relays.heard(one.name, ofOne);
    relays.heard(two.name, ofTwo);
    await settled();
    clock.advance(25 * 3_600_000);
    relays.targets();
    relays.heard(one.name, ofOne);
    await settled();
    assert.deepEqual([live(), rejected], [[], ['replayed', 'replayed', 'replayed']]);
    relays.heard(one.name, await one.seal({ sequence: 5 }));
    await settled();
    assert.deepEqual(live(), [one.name]);
  });

  it('that are said to have left are known for as long as there is a link to them', async () => {
    relays.heard(one.name, await one.seal());
    linked.add(one.name);
    relays.gone(one.name, 'left');
    await settled();
    clock.advance(KNOWN_FOR_MS + 1);
    assert.deepEqual([live(), relays.known()], [[], [one.name]]);
    linked.clear();
    assert.deepEqual(relays.known(), []);
  });

  it('are known for as long as there is a link to them, and ten minutes more, though nobody tells of them', () => {
    relays.remember([unheard(one.name)]);
    linked.add(one.name);
    clock.advance(3 * KNOWN_FOR_MS);
    assert.equal(relays.knownCount(), 2);
    linked.clear();
    relays.unlinked(one.name);
    clock.advance(KNOWN_FOR_MS);
    assert.equal(relays.knownCount(), 2);
    clock.advance(1);
    assert.equal(relays.knownCount(), 1);
  });
});
