import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownRelays } from '../../../src/client/known-relays.ts';
import { candidate } from './candidate-support.ts';

test('a relay that serves is known, with when it did and how it was', async () => {
  const known = new KnownRelays();
  const relay = await candidate({ failed: 2 });
  known.served(relay, 1_700_000_000_000, 0);
  assert.deepEqual(known.list(), [{ peer: relay.peer, addrs: relay.addrs, lastServedAtWall: 1_700_000_000_000, availability: 0.5 }]);
});

test('what an earlier run knew is kept until this one knows better, and is not lost when none of it answers', async () => {
  const known = new KnownRelays();
  const [old, both] = [await candidate(), await candidate()];
  known.served(both, 500, 0);
  known.remember([old, both].map(({ peer, addrs }) => ({ peer, addrs, lastServedAtWall: 100, availability: 0.9 })));
  assert.deepEqual(known.list().map(({ peer, lastServedAtWall }) => [peer, lastServedAtWall]), [[old.peer, 100], [both.peer, 500]]);
});

test('the list has an end: those that served longest ago go', async () => {
  const known = new KnownRelays();
  const relays = await Promise.all(Array.from({ length: 40 }, () => candidate()));
  relays.forEach((relay, i) => known.served(relay, i, 0));
  assert.deepEqual(known.list().map(({ lastServedAtWall }) => lastServedAtWall), Array.from({ length: 32 }, (_, i) => i + 8));
});
