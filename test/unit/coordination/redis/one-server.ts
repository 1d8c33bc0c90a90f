import { after, before } from 'node:test';
import type { RedisConfig } from '../../../../src/config/domain.ts';
import type { Counters, TakeVerdict } from '../../../../src/coordination/backend.ts';
import type { HoldClaim } from '../../../../src/lib/cluster/relay-cluster.ts';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';
import { RedisServer } from '../../../support/stores/redis.ts';

/** One Redis for all tests of a file, and relays on it that end with their test. */
export class OneServer {
  #server: RedisServer | undefined;
  #count = 0;

  constructor() {
    before(async () => {
      this.#server = await RedisServer.start();
    });
    after(async () => await this.#server?.stop());
  }

  get server(): RedisServer {
    return this.#server!;
  }

  get config(): RedisConfig {
    return redisConfig({ url: this.server.url });
  }

  /** Runs `work` with so many relays, whose names no other test has, on an empty store. */
  async withRelays(count: number, work: (...relays: RedisRelay[]) => Promise<void>): Promise<void> {
    this.server.ask('flushall');
    const relays: RedisRelay[] = [];
    try {
      for (let i = 0; i < count; i++) relays.push(await this.relay().start());
      await work(...relays);
    } finally {
      await Promise.all(relays.map((relay) => relay.stop()));
    }
  }

  /** Not started. */
  relay(id = `relay-${++this.#count}`, epoch = 1): RedisRelay {
    return new RedisRelay(this.config, id, epoch);
  }
}

const TAKE_MS = 5_000;

export function hold(key: string, maximum: number): HoldClaim {
  return { limit: 'reservations.perPrefix', key, maximum };
}

export function take({ counters }: { counters: Counters }, ...holds: readonly HoldClaim[]): Promise<TakeVerdict> {
  return counters.take(holds, [], AbortSignal.timeout(TAKE_MS));
}

/** Who is said to have gone from now on, even if it comes back. */
export function watchGone(...relays: readonly RedisRelay[]): readonly string[] {
  const gone: string[] = [];
  for (const { heard } of relays) {
    const tell = heard.gone.bind(heard);
    heard.gone = (peer, why) => {
      gone.push(`${peer} ${why}`);
      tell(peer, why);
    };
  }
  return gone;
}

/** How many of `maximum` places another relay still finds free. */
export async function freePlaces(relay: { counters: Counters }, key: string, maximum: number): Promise<number> {
  let free = 0;
  while ((await take(relay, hold(key, maximum))).ok) free++;
  relay.counters.give(Array.from({ length: free }, () => key));
  return free;
}
