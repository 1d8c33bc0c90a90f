import type { Counters } from '../backend.ts';
import { SharedCounters } from './counters.ts';
import type { SharedCountersOptions, SharesView } from './counters.ts';

export type { SharedCountersOptions, SharesView } from './counters.ts';

/** Counts over the cluster that the relays keep among themselves; they count from `start` to `stop`. */
export function makeSharedCounters(options: SharedCountersOptions): Counters & SharesView {
  return new SharedCounters(options);
}
