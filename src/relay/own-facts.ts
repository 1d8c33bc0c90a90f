import type { Multiaddr } from '@multiformats/multiaddr';
import type { ClassLimits, RelayConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { RelayCounts } from '../lib/contracts.ts';
import type { ClassStatement, LoadStatement } from '../lib/directory/statement.ts';
import type { Alternatives } from './alternatives.ts';
import { USER_CLASSES } from './classes.ts';
import type { UserClass } from './classes.ts';
import { Load } from './load.ts';

/** Where the facts come from; all of it may change at any time. */
export interface FactSources {
  clock: Clock;
  config: () => RelayConfig;
  counts: (limitClass: UserClass) => RelayCounts;
  limits: (limitClass: UserClass) => ClassLimits;
  /** Whether anybody can be in the class. */
  isUsable: (limitClass: UserClass) => boolean;
  eventLoopDelayMs: () => number;
  alternatives: Alternatives;
  /** Monotonic milliseconds; `undefined` while it does not drain. */
  drainEndsAt: () => number | undefined;
}

/** What this relay knows about itself, for its statement. */
export class OwnFacts {
  readonly #sources: FactSources;
  readonly #loads: Record<UserClass, Load>;

  constructor(sources: FactSources) {
    this.#sources = sources;
    this.#loads = { public: this.#makeLoad('public'), member: this.#makeLoad('member') };
  }

  get region(): string | undefined {
    return this.#sources.config().region;
  }

  get classes(): ClassStatement[] {
    return USER_CLASSES.filter((limitClass) => this.#sources.isUsable(limitClass)).map((limitClass) => this.#classStatement(limitClass));
  }

  get alternatives(): readonly Multiaddr[] {
    return this.#sources.alternatives.addrs;
  }

  get drainEndsAt(): number | undefined {
    return this.#sources.drainEndsAt();
  }

  load(asker: UserClass): LoadStatement {
    return this.#loads[asker].now();
  }

  /** To be called from time to time, for the bandwidth. */
  measure(): void {
    USER_CLASSES.forEach((limitClass) => this.#loads[limitClass].measure());
  }

  #classStatement(limitClass: UserClass): ClassStatement {
    const { reservations, circuits } = this.#sources.limits(limitClass);
    return {
      name: limitClass,
      reservationsMax: reservations.max,
      reservationTtlMs: reservations.ttlMs,
      circuitDurationMs: circuits.durationMs,
      circuitBytesPerDirection: circuits.bytesPerDirection,
    };
  }

  #makeLoad(limitClass: UserClass): Load {
    const { clock, counts, limits, eventLoopDelayMs } = this.#sources;
    return new Load(clock, () => ({ ...counts(limitClass), maxBytesPerSecond: limits(limitClass).bandwidth.total, eventLoopDelayMs: eventLoopDelayMs() }));
  }
}
