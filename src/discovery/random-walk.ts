import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Dht } from './host.ts';

/** A walk meets some twenty peers; in a large DHT that takes this long where several do not answer. */
const WALK_DEADLINE_MS = 30_000;

/** As long as the hash of a peer id, and so as good a place to walk to as any. */
const KEY_BYTES = 32;

/**
 * Asks the way to a random place of the DHT. Those on the way are connected to and identified, which is all that is wanted of it.
 *
 * @throws when nobody answered
 */
export async function walk(dht: Dht, clock: Clock, stop: AbortSignal): Promise<void> {
  await withDeadline(WALK_DEADLINE_MS, clock, [stop], async (signal) => {
    let answers = 0;
    for await (const event of dht.getClosestPeers(randomBytes(KEY_BYTES), { signal })) {
      answers += event.name === 'PEER_RESPONSE' ? 1 : 0;
    }
    if (answers === 0) {
      throw new RelaydError('NO_ADDRESS', 'no peer of the DHT answered');
    }
  });
}
