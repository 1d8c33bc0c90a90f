import type { ClusterRelayRow } from '../lib/contracts.ts';
import { clusterOf } from './cluster.ts';
import type { Facts } from './facts.ts';
import { ok, warning } from './item.ts';
import type { Item } from './item.ts';
import { spanInWords } from './span.ts';

/** NTP keeps clocks together to within some tens of milliseconds; a good one without it is so far off after a day or more. */
const OFF_MS = 2_000;

const MENDING = 'set up time synchronisation (NTP) there: timedatectl set-ntp true, and look at timedatectl; by a wrong clock tokens end and the days of quotas begin too early or too late, and places of a bearer token go to the wrong peer where relays were cut off from each other';

/** The wall clock of a relay, by that of the relay that was asked. */
interface Reading {
  readonly who: string;
  readonly aheadMs: number;
  readonly errorMs: number;
}

/** Who was first with a bearer token, when tokens end and quotas begin: relays go by their own clocks there. */
export function checkClusterClock(facts: Facts): Item | undefined {
  const readings = (clusterOf(facts)?.relays ?? []).flatMap(readingOf);
  // Without another one there is nothing to compare with.
  if (readings.length < 2) {
    return undefined;
  }
  // Of two, one is right, and nobody knows which.
  const middleMs = readings.length === 2 ? 0 : medianOf(readings.map(({ aheadMs }) => aheadMs));
  const off = readings.map((reading) => ({ ...reading, aheadMs: reading.aheadMs - middleMs })).filter(({ aheadMs, errorMs }) => Math.abs(aheadMs) - errorMs > OFF_MS);
  if (off.length === 0) {
    return ok('cluster-clock', `the clocks of ${readings.length} relays agree to within ${OFF_MS / 1000} seconds`);
  }
  const texts = off.map(({ who, aheadMs }) => `${who} is ${spanInWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`);
  return readings.length === 2
    ? warning('cluster-clock', `the two relays' clocks differ: by that of this relay, ${texts.join()}; which of the two is right cannot be told from here`, MENDING)
    : warning('cluster-clock', `of ${readings.length} relays' clocks, by the one in the middle: ${texts.join(', ')}`, MENDING);
}

function readingOf({ self, peer, clockAheadMs, clockErrorMs }: ClusterRelayRow): Reading[] {
  if (self) return [{ who: 'that of this relay', aheadMs: 0, errorMs: 0 }];
  return typeof clockAheadMs === 'number' && typeof clockErrorMs === 'number' ? [{ who: `that of ${peer}`, aheadMs: clockAheadMs, errorMs: clockErrorMs }] : [];
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number): number => sorted[i] ?? 0;
  return (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
}
