import { Coverage } from './coverage.ts';
import type { Delta, HeldChange, RecordChange } from './delta.ts';
import { ReservationTable } from './reservation-table.ts';
import { Tombstones } from './tombstones.ts';

/** Entries that are looked at in one call: a hundred thousand in five seconds. */
const SWEEP_STEPS = 5_000;

/** Longer than any reservation; a relay that says more is taken at this. */
const MAX_TTL_MS = 30 * 24 * 3_600_000;

export interface ShardBeat {
  readonly sequence: number;
  /** When the relay said it, as far as that is known here: milliseconds of this relay's monotonic clock. */
  readonly heardAt: number;
}

/**
 * What is known of one run of one relay. Only that relay makes changes, each with the next sequence; everybody else merges. For each peer the change with
 * the highest sequence counts, and which sequences are known is kept, so that what is old is told from what is new: applying deltas and joining
 * shards is commutative, associative and idempotent. A newer epoch takes the place of the whole shard.
 */
export class Shard {
  readonly relay: string;
  readonly epoch: number;
  readonly known = new Coverage();
  readonly held = new ReservationTable();
  readonly ended = new Tombstones();
  /** The change of each window and key of its usage; the bytes are in the usage book. */
  readonly usage = new Map<string, number>();
  #beat: ShardBeat | undefined;
  #record: RecordChange | undefined;
  #leftAt = 0;

  constructor(relay: string, epoch: number) {
    this.relay = relay;
    this.epoch = epoch;
  }

  get beat(): ShardBeat | undefined {
    return this.#beat;
  }

  get record(): RecordChange | undefined {
    return this.#record;
  }

  get leftAt(): number {
    return this.#leftAt;
  }

  /** It said that it goes, and nothing since. */
  get hasLeft(): boolean {
    return this.#leftAt > (this.#beat?.sequence ?? 0);
  }

  /** @param now of this relay's monotonic clock */
  apply(delta: Delta, now: number): void {
    this.#takeBeat(delta, now);
    this.#takeRecord(delta.record);
    this.#leave(delta.leftAt ?? 0);
    delta.held.forEach((change) => this.#hold(change, now));
    delta.ended.forEach(({ peer, sequence }) => this.#end(peer, sequence, now));
    delta.usage.forEach(({ key, window, sequence }) => this.countUsage(usageKey(window, key), sequence));
    this.known.add(delta.from, delta.to);
  }

  /** All that `other`, of the same relay and epoch, knows. Its list of reservations is whole as far as its coverage goes: what is not in it has ended. */
  join(other: Shard, now: number): void {
    this.#joinBeat(other.#beat);
    this.#takeRecord(other.#record);
    this.#leave(other.#leftAt);
    this.#dropWhatEnded(other);
    for (const { peer } of other.held.since(0)) {
      const holding = other.held.get(peer);
      if (holding !== undefined && this.#isNews(peer, holding.sequence)) this.#put(peer, holding);
    }
    for (const { peer, sequence } of other.ended.since(0)) this.#end(peer, sequence, now);
    other.usage.forEach((sequence, key) => this.countUsage(key, sequence));
    this.#joinCoverage(other);
  }

  /** Drops what is over. To be called several times a second. */
  tidy(now: number): void {
    this.held.sweep(now, SWEEP_STEPS);
    this.ended.forgetOld(now);
  }

  countUsage(key: string, sequence: number): void {
    this.usage.set(key, Math.max(sequence, this.usage.get(key) ?? 0));
  }

  #takeBeat({ beat }: Delta, now: number): void {
    if (beat !== undefined) this.#joinBeat({ sequence: beat.sequence, heardAt: now - beat.ageMs });
  }

  #joinBeat(beat: ShardBeat | undefined): void {
    if (beat !== undefined && beat.sequence > (this.#beat?.sequence ?? 0)) this.#beat = beat;
  }

  #takeRecord(record: RecordChange | undefined): void {
    if (record !== undefined && record.sequence > (this.#record?.sequence ?? 0)) this.#record = record;
  }

  #leave(sequence: number): void {
    if (sequence <= this.#leftAt) return;
    this.#leftAt = sequence;
    for (const { peer, sequence: own } of this.held.since(0)) {
      if (own <= sequence) this.held.delete(peer);
    }
  }

  #hold({ peer, sequence, ttlMs, ageMs }: HeldChange, now: number): void {
    if (this.#isNews(peer, sequence)) this.#put(peer, { sequence, toldAt: now - ageMs, expiresAt: now + Math.min(ttlMs, MAX_TTL_MS) });
  }

  #put(peer: string, holding: { sequence: number; toldAt: number; expiresAt: number }): void {
    this.ended.delete(peer);
    this.held.set(peer, holding);
  }

  #end(peer: string, sequence: number, now: number): void {
    if (!this.#isNews(peer, sequence)) return;
    this.held.delete(peer);
    this.ended.add(peer, sequence, now);
  }

  #isNews(peer: string, sequence: number): boolean {
    const newest = Math.max(this.#leftAt, this.held.get(peer)?.sequence ?? 0, this.ended.sequenceOf(peer) ?? 0);
    return sequence > newest && !this.known.has(sequence);
  }

  #dropWhatEnded(other: Shard): void {
    for (const { peer, sequence } of this.held.since(0)) {
      if (other.known.has(sequence) && (other.held.get(peer)?.sequence ?? 0) < sequence) this.held.delete(peer);
    }
  }

  /** Ends that only the other knew of, and has forgotten, cannot be told on from here. */
  #joinCoverage(other: Shard): void {
    const mayMiss = other.ended.horizon > this.known.complete ? other.ended.horizon : 0;
    this.ended.raiseHorizon(mayMiss);
    this.known.join(other.known);
  }
}

export function usageKey(window: string, key: string): string {
  return `${window} ${key}`;
}

/** @returns window and key */
export function splitUsageKey(text: string): [window: string, key: string] {
  const at = text.indexOf(' ');
  return [text.slice(0, at), text.slice(at + 1)];
}
