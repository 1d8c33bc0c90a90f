import type { RedisConfig } from '../../../src/config/domain.ts';
import type { BackendListener, Counters, Registry } from '../../../src/coordination/backend.ts';
import { makeRedisStore } from '../../../src/coordination/redis/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { CutProxy } from '../stores/cut-proxy.ts';
import { RedisServer } from '../stores/redis.ts';
import { Beats, Heard } from './rig.ts';
import type { RelayOptions, Rig, RigRelay } from './rig.ts';
import { proofsOf, signedRecord } from './signed.ts';

/** As the schema's defaults have it, but for where the server is. */
export function redisConfig(some: Partial<RedisConfig>): RedisConfig {
  const tls = { caFile: undefined, certFile: undefined, keyFile: undefined };
  return { url: 'redis://127.0.0.1:6379', nodes: [], sentinels: [], sentinelPrimary: 'mymaster', sentinelUsername: undefined, sentinelPasswordFile: undefined, username: undefined, passwordFile: undefined, tls, ...some };
}

function storeOf(redis: RedisConfig, self: string, epoch: number, linked: ReadonlySet<string>, listener: BackendListener): ReturnType<typeof makeRedisStore> {
  return makeRedisStore({ self, epoch, listener, links: { members: () => [...linked] }, proofs: proofsOf({ id: self, epoch }), config: { cluster: 'test', redis, allowPlaintext: false }, clock: systemClock, log: silentLogger });
}

/** One relay of a test, with its beats. */
export class RedisRelay implements RigRelay {
  readonly id: string;
  readonly epoch: number;
  readonly heard = new Heard();
  readonly registry: Registry;
  readonly counters: Counters;
  readonly beats: Beats;
  /** Relays to which it has a link, as the test says. */
  readonly linked = new Set<string>();
  /** What the view shows as the total of a key. */
  readonly total: (key: string) => number | null;

  constructor(redis: RedisConfig, id: string, epoch: number) {
    this.id = id;
    this.epoch = epoch;
    const { registry, counters, shareOf } = storeOf(redis, id, epoch, this.linked, this.heard);
    [this.registry, this.counters, this.total] = [registry, counters, (key): number | null => shareOf(key).total];
    let sequence = 0;
    this.beats = new Beats(this.registry, () => signedRecord(this, `record ${sequence++}`));
  }

  async start(): Promise<this> {
    await this.registry.start();
    await this.counters.start();
    await this.beats.start();
    return this;
  }

  async stop(): Promise<void> {
    this.beats.stop();
    await this.registry.leave();
    await this.#close();
  }

  async kill(): Promise<void> {
    this.beats.stop();
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.counters.stop();
    await this.registry.stop();
  }
}

/** A real Redis; each relay reaches it over a proxy of its own. */
export async function redisRig(): Promise<Rig> {
  const server = await RedisServer.start();
  const proxies = new Map<string, CutProxy>();
  const relays = new Set<RedisRelay>();
  let count = 0;
  return {
    name: 'redis',
    exact: true,
    relay: async ({ again, epoch }: RelayOptions = {}) => {
      const id = again?.id ?? `relay-${++count}`;
      const proxy = proxies.get(id) ?? (await CutProxy.start(server.port));
      proxies.set(id, proxy);
      const relay = new RedisRelay(redisConfig({ url: `redis://127.0.0.1:${proxy.port}` }), id, epoch ?? (again?.epoch ?? 0) + 1);
      relays.add(relay);
      return relay.start();
    },
    cut: async ({ id }) => {
      proxies.get(id)?.cut();
      return async () => proxies.get(id)?.heal();
    },
    forget: async () => void server.ask('flushall'),
    stop: async () => {
      await Promise.all([...relays].map((relay) => relay.kill()));
      await Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
      await server.stop();
    },
  };
}
