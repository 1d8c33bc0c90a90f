import type { PeerId, Stream } from '@libp2p/interface';
import type { ClusterClaims, ClusterPermit, ClusterRefusal, ClusterVerdict, HoldClaim, QuotaClaim, RelayCluster } from '../../src/lib/cluster/relay-cluster.ts';
import { Counts } from '../../src/lib/counts.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import type { ClusterTerms } from '../../src/relay/global/terms.ts';

/** A cluster in memory, as a relay sees it: counts exactly, answers at once, and does as a test says. */
export class FakeCluster implements RelayCluster {
  /** What was asked, in order. */
  readonly asked: ClusterClaims[] = [];
  /** Places that are held now. */
  readonly places = new Counts();
  /** Tokens that were spent. */
  readonly spent = new Counts();
  readonly bytes = new Map<string, number>();
  /** How often bytes were told. */
  tellings = 0;
  /** Reservations that all relays know of, with their TTL in milliseconds. */
  readonly known = new Map<string, number>();
  readonly usedUp = new Set<string>();
  readonly listeners = new Set<(key: string) => void>();
  readonly relays = new Set<string>();
  readonly elsewhere = new Map<string, readonly string[]>();
  /** What admission waits for; a test may make it fail, or wait. */
  beforeVerdict: (claims: ClusterClaims, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  /** Answers in place of the counts. */
  refusal: ClusterRefusal | undefined;
  /** A cluster whose answer comes although it was not waited for. */
  heedsSignal = true;

  async admit(claims: ClusterClaims, signal: AbortSignal): Promise<ClusterVerdict> {
    this.asked.push(claims);
    await this.beforeVerdict(claims, signal);
    if (signal.aborted && this.heedsSignal) {
      throw new RelaydError('CLOSED', 'nobody waits for it');
    }
    const refusal = this.refusal ?? this.#refusal(claims);
    if (refusal !== undefined) {
      return { ok: false, ...refusal };
    }
    claims.rates.forEach(({ key }) => this.spent.add(key));
    return { ok: true, permit: this.#permit(claims.holds) };
  }

  holds(peer: PeerId, ttlMs: number): void {
    this.known.set(peer.toString(), ttlMs);
  }

  letGo(peer: PeerId): void {
    this.known.delete(peer.toString());
  }

  holders(target: PeerId): Promise<readonly string[]> {
    return Promise.resolve(this.elsewhere.get(target.toString()) ?? []);
  }

  openStream(): Promise<Stream> {
    return Promise.reject(new RelaydError('CLOSED', 'there is no other relay'));
  }

  isRelay(peer: PeerId): boolean {
    return this.relays.has(peer.toString());
  }

  moved(quotas: readonly QuotaClaim[], bytes: number): void {
    this.tellings++;
    for (const { key, quota } of quotas) {
      const total = (this.bytes.get(key) ?? 0) + bytes;
      this.bytes.set(key, total);
      if (total >= quota.bytes) this.useUp(key);
    }
  }

  onUsedUp(listener: (key: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A quota is used up, here or by other relays. */
  useUp(key: string): void {
    if (this.usedUp.has(key)) return;
    this.usedUp.add(key);
    this.listeners.forEach((listener) => listener(key));
  }

  #refusal({ holds, quotas }: ClusterClaims): ClusterRefusal | undefined {
    const full = holds.find(({ key, maximum }) => this.places.of(key) >= maximum);
    if (full !== undefined) {
      return { limit: full.limit, current: this.places.of(full.key), maximum: full.maximum };
    }
    const over = quotas.find(({ key }) => this.usedUp.has(key));
    return over === undefined ? undefined : { limit: over.limit, current: over.quota.bytes, maximum: over.quota.bytes, retryAfterMs: 3_600_000 };
  }

  #permit(holds: readonly HoldClaim[]): ClusterPermit {
    const left = new Set(holds.map(({ key }) => key));
    this.places.add(...left);
    const releaseOnly = (keys: readonly string[]): void => keys.forEach((key) => left.delete(key) && this.places.remove(key));
    return { releaseOnly, release: () => releaseOnly([...left]) };
  }
}

/** No limit over the cluster, but what a test sets. */
export function clusterTerms({ limits = {}, memberLimits = {} }: { limits?: Partial<Loose<ClusterTerms['limits']>>; memberLimits?: Partial<Loose<ClusterTerms['memberLimits']>> } = {}): ClusterTerms {
  const none = (set: Partial<Loose<ClusterTerms['memberLimits']>>): ClusterTerms['memberLimits'] => ({
    reservations: { max: Infinity, perPeer: Infinity, perPrefix: Infinity, perAsn: Infinity, perToken: Infinity, ...set.reservations },
    circuits: { max: Infinity, perSource: Infinity, perTarget: Infinity, perPrefix: Infinity, perToken: Infinity, ...set.circuits },
    rates: { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined, ...set.rates },
  });
  return {
    limits: { ...none(limits), quotas: { peer: undefined, prefix: undefined, realm: undefined, token: undefined, ...limits.quotas } },
    memberLimits: none(memberLimits),
  };
}

/** A group of limits of which not all are named. */
type Loose<T> = { [K in keyof T]: Partial<T[K]> };
