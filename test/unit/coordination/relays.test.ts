import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { KNOWN_FOR_MS, Relays } from '../../../src/coordination/relays.ts';
import type { Rejection } from '../../../src/coordination/relays.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

describe('the relays of a cluster', () => {
  let self: ARelay;
  let one: ARelay;
  let two: ARelay;
  let clock: ManualClock;
  let relays: Relays;
  let rejected: Rejection[];
  let changes: number;

  before(async () => {
    [self, one, two] = await Promise.all([aRelay(), aRelay(), aRelay()]);
  });

  beforeEach(() => {
    clock = new ManualClock();
    rejected = [];
    changes = 0;
    relays = new Relays({ self: self.name, secret: SECRET, clock, log: silentLogger, onRejected: (why) => rejected.push(why) });
    relays.onChange(() => changes++);
  });

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
    relays.heard(one.name, await one.seal({ sequence: 6 }, new ClusterSecret('11'.repeat(32), 'test')));
    relays.heard(one.name, await one.seal({ sequence: 4, state: 'draining' }));
    relays.heard(one.name, await one.seal({ epoch: 6, sequence: 9, state: 'draining' }));
    relays.heard(one.name, Uint8Array.of(1, 2, 3));
    relays.heard('no peer id', await one.seal({ sequence: 7 }));
    await settled();
    assert.deepEqual(rejected, ['signature', 'secret', 'replayed', 'replayed', 'malformed', 'malformed']);
    assert.deepEqual(relays.live().map(({ record }) => [record.sequence, record.state]), [[5, 'ready']]);
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
    relays.remember([one.name, two.name, self.name]);
    assert.equal(relays.knownCount(), 3);
    clock.advance(KNOWN_FOR_MS + 1);
    assert.equal(relays.knownCount(), 1);
  });
});
