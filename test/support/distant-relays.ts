import { Fleet } from './fleet.ts';
import { delayProxy, through } from './delay-proxy.ts';
import type { DelayProxy } from './delay-proxy.ts';

export interface DistantRelay {
  readonly peer: string;
  /** Leads through a proxy that makes it as far away as it says. */
  readonly addr: string;
  readonly roundTripMs: number;
}

/** Real relays in processes of their own, at different distances. */
export class DistantRelays {
  readonly all: readonly DistantRelay[];
  readonly #fleet: Fleet;
  readonly #proxies: readonly DelayProxy[];

  /** @param relays in whole round trips, and each relay's `relay` section */
  static async start(relays: readonly { roundTripMs: number; relay: Record<string, unknown> }[]): Promise<DistantRelays> {
    const fleet = await Fleet.create();
    const proxies: DelayProxy[] = [];
    const all: DistantRelay[] = [];
    try {
      for (const [i, { roundTripMs, relay }] of relays.entries()) {
        const { ready } = await fleet.start(`relay${i}`, {
          role: 'relay',
          network: { listen: ['/ip4/127.0.0.1/tcp/0'] },
          connections: { pendingPerPrefix: 1000, inboundPerPrefix: '1000/s' },
          relay: { prefixes: { exempt: ['127.0.0.0/8'] }, maxEventLoopDelay: 'unlimited', ...relay },
          log: { level: 'warn' },
        });
        const addr = ready.addrs[0] ?? '';
        const proxy = await delayProxy(Number(/\/tcp\/(\d+)/.exec(addr)?.[1]), roundTripMs / 2);
        proxies.push(proxy);
        all.push({ peer: ready.peerId, addr: through(addr, proxy), roundTripMs });
      }
    } catch (error) {
      await stopAll(fleet, proxies);
      throw error;
    }
    return new DistantRelays(fleet, proxies, all);
  }

  private constructor(fleet: Fleet, proxies: readonly DelayProxy[], all: readonly DistantRelay[]) {
    this.#fleet = fleet;
    this.#proxies = proxies;
    this.all = all;
  }

  /** How many of `held`, peer ids of relays, each relay has, in order. */
  distribution(held: readonly string[]): number[] {
    return this.all.map(({ peer }) => held.filter((one) => one === peer).length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stopAll(this.#fleet, this.#proxies);
  }
}

async function stopAll(fleet: Fleet, proxies: readonly DelayProxy[]): Promise<void> {
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  await fleet.stopAll();
}
