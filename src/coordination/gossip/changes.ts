import type { Delta } from './delta.ts';
import { splitUsageKey } from './shard.ts';
import type { Shard } from './shard.ts';

/** One thing that a relay has changed: a peer that it holds, one that it holds no more, or a count of usage. */
export interface Change {
  readonly sequence: number;
  readonly kind: 'held' | 'ended' | 'usage';
  /** A peer, or window and key. */
  readonly key: string;
}

/** How many bytes a relay has counted under a window and key. */
export type UsageBytes = (usageKey: string) => number;

/** Numbers and lengths beside the text, at most. */
const OVERHEAD_BYTES = 24;

/** An id is 52 characters; a key of usage is longer, and rarer. */
const USUAL_CHANGE_BYTES = 64;

/** What has changed after `from`, oldest first, as much as `maxBytes` take or more; the rest is seen by `isAll`. */
export function changesSince(shard: Shard, from: number, maxBytes: number): { changes: Change[]; isAll: boolean } {
  const sequences = Float64Array.from(all(shard, from), ({ sequence }) => sequence).sort();
  const room = Math.max(1, Math.ceil(maxBytes / USUAL_CHANGE_BYTES));
  const last = sequences[room - 1] ?? Infinity;
  const changes: Change[] = [];
  for (const { kind, key, sequence } of all(shard, from)) {
    if (sequence <= last) changes.push({ kind, key, sequence });
  }
  return { changes: changes.sort((a, b) => a.sequence - b.sequence), isAll: sequences.length <= room };
}

/** How many of `changes`, from the first on, fit into `maxBytes`; one at least. */
export function fitting(changes: readonly Change[], maxBytes: number): number {
  let bytes = 0;
  const over = changes.findIndex(({ key }) => (bytes += key.length + OVERHEAD_BYTES) > maxBytes);
  return over === -1 ? changes.length : Math.max(1, over);
}

/** The delta (from, to] with those of `changes` that still hold. */
export function deltaOf(shard: Shard, from: number, to: number, changes: readonly Change[], usageBytes: UsageBytes, now: number): Delta {
  const delta = { held: [], ended: [], usage: [] } satisfies Pick<Delta, 'held' | 'ended' | 'usage'> as Lists;
  changes.forEach((change) => put(delta, shard, change, usageBytes, now));
  const { beat, record, leftAt } = shard;
  const isIn = (sequence: number): boolean => sequence > from && sequence <= to;
  return {
    relay: shard.relay,
    epoch: shard.epoch,
    from,
    to,
    beat: beat !== undefined && isIn(beat.sequence) ? { sequence: beat.sequence, ageMs: age(now, beat.heardAt) } : undefined,
    record: record !== undefined && isIn(record.sequence) ? record : undefined,
    leftAt: isIn(leftAt) ? leftAt : undefined,
    ...delta,
  };
}

interface Lists {
  held: Delta['held'][number][];
  ended: Delta['ended'][number][];
  usage: Delta['usage'][number][];
}

function put(lists: Lists, shard: Shard, { kind, key, sequence }: Change, usageBytes: UsageBytes, now: number): void {
  if (kind === 'held') {
    const holding = shard.held.get(key);
    if (holding?.sequence === sequence) lists.held.push({ peer: key, sequence, ttlMs: Math.max(0, Math.round(holding.expiresAt - now)), ageMs: age(now, holding.toldAt) });
  } else if (kind === 'ended') {
    if (shard.ended.sequenceOf(key) === sequence) lists.ended.push({ peer: key, sequence });
  } else if (shard.usage.get(key) === sequence) {
    const [window, usedKey] = splitUsageKey(key);
    lists.usage.push({ key: usedKey, window, sequence, bytes: usageBytes(key) });
  }
}

function* all(shard: Shard, from: number): Generator<Change> {
  for (const { peer, sequence } of shard.held.since(from)) yield { kind: 'held', key: peer, sequence };
  for (const { peer, sequence } of shard.ended.since(from)) yield { kind: 'ended', key: peer, sequence };
  for (const [key, sequence] of shard.usage) {
    if (sequence > from) yield { kind: 'usage', key, sequence };
  }
}

function age(now: number, since: number): number {
  return Math.max(0, Math.round(now - since));
}
