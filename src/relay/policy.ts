import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { ClassLimits, RelayConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import { Prefixes } from '../lib/prefixes.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import { Access } from './access.ts';
import { Bandwidth } from './bandwidth.ts';
import { INTERNAL_LIMITS, LIMIT_CLASSES } from './classes.ts';
import type { LimitClass } from './classes.ts';
import { Membership } from './membership.ts';
import type { MembershipOptions, Standing } from './membership.ts';
import { PeerRates } from './peer-rates.ts';
import { Refused } from './refusal.ts';

type RequestName = 'reserve' | 'connect';

interface ClassPolicy {
  readonly limits: ClassLimits;
  readonly bandwidth: Bandwidth;
  readonly rates: Record<RequestName, { readonly perPeer: TokenBuckets; readonly perPrefix: TokenBuckets }>;
}

/**
 * The rules in force, made from the configuration: who may ask, how often, and how much. A reload makes a new one;
 * what is held already keeps the limits that it was admitted under.
 */
export class Policy {
  readonly access: Record<'reserve' | 'connect' | 'target', Access>;
  readonly prefixes: Prefixes;
  readonly membership: Membership;
  readonly #classes: Record<LimitClass, ClassPolicy>;

  constructor(config: RelayConfig, who: Omit<MembershipOptions, 'open' | 'clock'>, clock: Clock) {
    const { reserve, connect, target } = config.access;
    this.access = { reserve: new Access(reserve), connect: new Access(connect), target: new Access(target) };
    this.prefixes = new Prefixes(config.prefixes);
    this.membership = new Membership({ ...who, open: config.open, clock });
    const members = new PeerRates(clock);
    const limits: Record<LimitClass, ClassLimits> = { public: config.limits, member: config.memberLimits, internal: INTERNAL_LIMITS };
    const classes = LIMIT_CLASSES.map((name) => [name, makeClass(limits[name], members, clock)] as const);
    this.#classes = Object.fromEntries(classes) as Record<LimitClass, ClassPolicy>;
  }

  limits(limitClass: LimitClass): ClassLimits {
    return this.#classes[limitClass].limits;
  }

  /** What a circuit of such a peer's may use: its token's limits in place of the class's. */
  circuitLimits({ class: limitClass, grant }: Standing): ClassLimits['circuits'] {
    const { circuits } = this.limits(limitClass);
    const own = grant?.limits ?? {};
    return { ...circuits, perSource: own.circuits ?? circuits.perSource, durationMs: own.durationMs ?? circuits.durationMs, bytesPerDirection: own.bytesPerDirection ?? circuits.bytesPerDirection };
  }

  bandwidth(limitClass: LimitClass): Bandwidth {
    return this.#classes[limitClass].bandwidth;
  }

  /** @throws Refused when the list named `list` does not let `peer` in; the node's own check is never asked */
  checkAccess(list: 'reserve' | 'connect' | 'target', limitClass: LimitClass, peer: PeerId, addr: Multiaddr | undefined): void {
    if (limitClass !== 'internal' && !this.access[list].permits(peer, addr)) {
      throw new Refused(`access.${list}`);
    }
  }

  /** @throws Refused where it is sure that the list named `list` does not let in a peer of another relay's, wherever it connects from */
  checkForeign(list: 'connect' | 'target', peer: PeerId): void {
    if (!this.access[list].mayPermit(peer)) {
      throw new Refused(`access.${list}`);
    }
  }

  /** Spends one token of the peer's and of each of its prefixes' buckets, or none where one is empty. @throws Refused then */
  spend(request: RequestName, limitClass: LimitClass, peer: PeerId, prefixes: readonly string[]): void {
    const { limits, rates } = this.#classes[limitClass];
    const { perPeer, perPrefix } = rates[request];
    const buckets = [...prefixes.map((prefix) => ({ of: perPrefix, key: prefix, by: 'PerPrefix' as const })), { of: perPeer, key: peer.toString(), by: 'PerPeer' as const }];
    for (const { of, key, by } of buckets) {
      const retryAfterMs = of.waitMs(key);
      const maximum = limits.rates[`${request}${by}`]?.count;
      if (retryAfterMs > 0) throw new Refused(`rates.${request}${by}`, { current: maximum, maximum, retryAfterMs });
    }
    buckets.forEach(({ of, key }) => of.tryTake(key));
  }
}

function makeClass(limits: ClassLimits, members: PeerRates, clock: Clock): ClassPolicy {
  const { reservePerPeer, reservePerPrefix, connectPerPeer, connectPerPrefix } = limits.rates;
  return {
    limits,
    bandwidth: new Bandwidth(limits.bandwidth, clock, members),
    rates: {
      reserve: { perPeer: new TokenBuckets(reservePerPeer, clock), perPrefix: new TokenBuckets(reservePerPrefix, clock) },
      connect: { perPeer: new TokenBuckets(connectPerPeer, clock), perPrefix: new TokenBuckets(connectPerPrefix, clock) },
    },
  };
}
