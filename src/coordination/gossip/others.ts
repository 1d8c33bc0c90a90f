import type { Clock } from '../../lib/clock.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import { BEAT_EVERY_MS, LEASE_MS } from '../backend.ts';
import type { BackendListener } from '../backend.ts';
import type { Proofs } from '../proofs.ts';
import type { Delta } from './delta.ts';
import type { Run } from './messages.ts';
import { Shard } from './shard.ts';

/** What a relay held is kept for so long after it was last heard of: when the network heals, only what has changed is asked for. */
export const FORGET_AFTER_MS = 10 * 60_000;

/** Links are kept to as many. */
const MAX_RELAYS = 256;

/** Nothing runs for so long in a process that is well: it stood still, and what others said meanwhile is not read yet. */
const SLEPT_MS = 1_000;

/** One beat, and half of one for its way. */
const GRACE_MS = 1.5 * BEAT_EVERY_MS;

/** Relays compare what they know every second, with one of them: who goes on saying it, says it again within this time. */
const DOUBT_MS = LEASE_MS;

/** Of a run of this very relay. */
interface Claim {
  readonly epoch: number;
  /** Since it was heard of. */
  readonly ageMs: number;
}

interface Other {
  shard: Shard;
  isAlive: boolean;
  /** When the relay last said that it is alive, as far as that is known here. */
  heardAt: number;
}

interface OthersOptions {
  readonly self: Run;
  readonly listener: BackendListener;
  readonly proofs: Pick<Proofs, 'provesNewer'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The other relays: what is known of each, and which are alive. Their leases are timed here, by this relay's monotonic clock. */
export class Others {
  readonly #o: OthersOptions;
  readonly #others = new Map<string, Other>();
  #graceUntil = -Infinity;
  #tickedAt: number;
  #isFenced = false;
  #doubtUntil = -Infinity;

  constructor(options: OthersOptions) {
    this.#o = options;
    this.#tickedAt = options.clock.now();
  }

  /** Another process runs with this identity and a newer epoch. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /** Somebody says so, and cannot prove it. */
  get doubt(): string | undefined {
    return this.#o.clock.now() < this.#doubtUntil ? 'a relay of the cluster says that a newer run of this one is alive, and there is none that has its key' : undefined;
  }

  live(): string[] {
    return [...this.#others].flatMap(([relay, { isAlive }]) => (isAlive ? [relay] : []));
  }

  /** Those that have not left. */
  knownCount(): number {
    return [...this.#others.values()].filter(({ shard }) => !shard.hasLeft).length;
  }

  isAlive(relay: string): boolean {
    return this.#others.get(relay)?.isAlive === true;
  }

  shard(relay: string): Shard | undefined {
    return this.#others.get(relay)?.shard;
  }

  /** All that are remembered, dead ones too, and how long ago each was heard of. */
  all(): { shard: Shard; ageMs: number }[] {
    const now = this.#o.clock.now();
    return [...this.#others.values()].map(({ shard, heardAt }) => ({ shard, ageMs: Math.max(0, Math.round(now - heardAt)) }));
  }

  reservationCount(): number {
    return [...this.#others.values()].reduce((sum, { shard }) => sum + shard.held.size, 0);
  }

  /** @returns the shard that it changed; `undefined` when it says nothing of use */
  absorb(delta: Delta): Shard | undefined {
    if (delta.relay === this.#o.self.relay) {
      // Without a record it proves nothing: whoever knows of that run is asked for it.
      if (delta.beat !== undefined && delta.record !== undefined) void this.metSelf({ ...delta, ageMs: delta.beat.ageMs, record: delta.record.bytes });
      return undefined;
    }
    const other = this.#at(delta);
    if (other === undefined) return undefined;
    const { beat, record } = other.shard;
    other.shard.apply(delta, this.#o.clock.now());
    this.#follow(delta.relay, other, { beat, record });
    return other.shard;
  }

  /** All that `shard`, which was fetched whole, holds. */
  join(shard: Shard): void {
    const other = this.#at(shard);
    if (other === undefined) return;
    const { beat, record } = other.shard;
    other.shard.join(shard, this.#o.clock.now());
    this.#follow(shard.relay, other, { beat, record });
  }

  /** Whether somebody says to know of a newer run of this very relay. An older one, or one that is dead, says nothing. */
  claimsNewer({ epoch, ageMs }: Claim): boolean {
    return !this.#isFenced && epoch > this.#o.self.epoch && ageMs < LEASE_MS;
  }

  /** It is one when this relay's key has signed its record. */
  async metSelf(claim: Claim & { readonly record: Uint8Array }): Promise<void> {
    if (!this.claimsNewer(claim)) return;
    const isProven = await this.#o.proofs.provesNewer(claim.record);
    if (!isProven) this.#doubtUntil = this.#o.clock.now() + DOUBT_MS;
    if (!isProven || this.#isFenced) return;
    const { epoch } = claim;
    this.#isFenced = true;
    this.#o.log.error({ epoch, own: this.#o.self.epoch }, 'another process runs with this identity, and began later: this one lets go');
    this.#o.listener.fenced();
  }

  /** To be called several times a second: ends leases. */
  tick(): void {
    const now = this.#o.clock.now();
    if (now - this.#tickedAt > SLEPT_MS) this.#graceUntil = now + GRACE_MS;
    this.#tickedAt = now;
    for (const [relay, other] of this.#others) {
      other.shard.tidy(now);
      if (other.isAlive && now >= Math.max(other.heardAt + LEASE_MS, this.#graceUntil)) this.#end(relay, other, 'lapsed');
      if (!other.isAlive && now >= other.heardAt + FORGET_AFTER_MS) this.#others.delete(relay);
    }
  }

  clear(): void {
    this.#others.clear();
    this.#tickedAt = this.#o.clock.now();
  }

  /** A newer epoch takes the place of all that was known; what an older one says is over. */
  #at(run: Run): Other | undefined {
    const known = this.#others.get(run.relay);
    if (known === undefined) return this.#add(run);
    if (run.epoch < known.shard.epoch) return undefined;
    if (run.epoch > known.shard.epoch) known.shard = new Shard(run.relay, run.epoch);
    return known;
  }

  #add({ relay, epoch }: Run): Other | undefined {
    if (this.#others.size >= MAX_RELAYS) {
      this.#o.log.warn({ relay: peerText(relay), limit: MAX_RELAYS }, 'more relays than gossip is made for: this one is not followed');
      return undefined;
    }
    const other = { shard: new Shard(relay, epoch), isAlive: false, heardAt: this.#o.clock.now() - LEASE_MS };
    this.#others.set(relay, other);
    return other;
  }

  /** @param before what was the newest of each */
  #follow(relay: string, other: Other, before: Pick<Shard, 'beat' | 'record'>): void {
    const { beat, record, hasLeft } = other.shard;
    if (hasLeft) {
      if (other.isAlive) this.#end(relay, other, 'left');
      return;
    }
    if (beat !== undefined && beat !== before.beat) other.heardAt = Math.max(other.heardAt, beat.heardAt);
    const wasAlive = other.isAlive;
    other.isAlive ||= this.#hasLease(other);
    if (other.isAlive && record !== undefined && (!wasAlive || record !== before.record)) this.#o.listener.relay(relay, record.bytes);
  }

  /** Who has not told its record cannot be reached. */
  #hasLease({ shard, heardAt }: Other): boolean {
    return shard.beat !== undefined && shard.record !== undefined && heardAt + LEASE_MS > this.#o.clock.now();
  }

  #end(relay: string, other: Other, why: 'left' | 'lapsed'): void {
    other.isAlive = false;
    this.#o.listener.gone(relay, why);
  }
}
