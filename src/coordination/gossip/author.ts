import { deltaOf, fitting } from './changes.ts';
import type { Change, UsageBytes } from './changes.ts';
import type { Delta } from './delta.ts';
import { Shard, usageKey } from './shard.ts';

/** More than this is not gossiped but asked for: a relay that tells ten thousand reservations at once, after it was away. */
const MAX_PENDING = 20_000;

/** What this relay says of itself: the one writer of its own shard. What it has changed waits here until it is sent. */
export class Author {
  readonly shard: Shard;
  readonly #usageBytes: UsageBytes;
  #pending: Change[] = [];
  #sequence = 0;
  #sentTo = 0;

  constructor(relay: string, epoch: number, usageBytes: UsageBytes) {
    this.shard = new Shard(relay, epoch);
    this.#usageBytes = usageBytes;
  }

  get hasNews(): boolean {
    return this.#sentTo < this.#sequence;
  }

  /** A record that has not changed is not told again. */
  beat(record: Uint8Array, now: number): void {
    const isNew = Buffer.compare(record, this.shard.record?.bytes ?? new Uint8Array()) !== 0;
    this.#change((sequence) => ({ beat: { sequence, ageMs: 0 }, record: isNew ? { sequence, bytes: record } : undefined }), now);
  }

  /** What it holds is over with that, and need not be told. */
  leave(now: number): void {
    this.#pending = this.#pending.filter(({ kind }) => kind === 'usage');
    this.#change((sequence) => ({ leftAt: sequence }), now);
  }

  hold(peer: string, ttlMs: number, now: number): void {
    this.#change((sequence) => ({ held: [{ peer, sequence, ttlMs, ageMs: 0 }] }), now);
    this.#wait({ kind: 'held', key: peer, sequence: this.#sequence });
  }

  end(peer: string, now: number): void {
    if (this.shard.held.get(peer) === undefined) return;
    this.#change((sequence) => ({ ended: [{ peer, sequence }] }), now);
    this.#wait({ kind: 'ended', key: peer, sequence: this.#sequence });
  }

  /** Its count under `key` has changed; the bytes are in the usage book. */
  counted(key: string, window: string, now: number): void {
    this.#change((sequence) => ({ usage: [{ key, window, sequence, bytes: 0 }] }), now);
    this.#wait({ kind: 'usage', key: usageKey(window, key), sequence: this.#sequence });
  }

  /** What is to be sent next, of about `maxBytes` and a record; empty when there is nothing. */
  next(maxBytes: number, now: number): Delta {
    const changes = this.#pending.splice(0, fitting(this.#pending, maxBytes));
    const to = this.#pending.length === 0 ? this.#sequence : (changes.at(-1)?.sequence ?? this.#sequence);
    const delta = deltaOf(this.shard, this.#sentTo, to, changes, this.#usageBytes, now);
    this.#sentTo = to;
    return delta;
  }

  #change(what: (sequence: number) => Partial<Delta>, now: number): void {
    const sequence = ++this.#sequence;
    this.shard.apply({ relay: this.shard.relay, epoch: this.shard.epoch, from: sequence - 1, to: sequence, held: [], ended: [], usage: [], ...what(sequence) }, now);
  }

  /** Those that find a gap in what they hear ask for what it held. */
  #wait(change: Change): void {
    if (this.#pending.length >= MAX_PENDING) {
      this.#pending = [];
      this.#sentTo = this.#sequence - 1;
    }
    this.#pending.push(change);
  }
}
