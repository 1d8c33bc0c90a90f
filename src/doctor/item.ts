import type { Acknowledgement } from '../lib/acknowledgements.ts';

/** One line of the checklist, as `relayd doctor --json` prints it. */
export interface Item {
  readonly item: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was found. */
  readonly reason: string;
  /** What to do; empty where nothing need be done. */
  readonly advice: string;
}

/** Looks at one thing; `undefined` where it does not apply to this node, or nothing is known of it. */
export type Check<F> = (facts: F) => Item | undefined;

export function ok(item: string, reason: string): Item {
  return { item, status: 'ok', reason, advice: '' };
}

export function warning(item: string, reason: string, advice: string): Item {
  return { item, status: 'warning', reason, advice };
}

export function failed(item: string, reason: string, advice: string): Item {
  return { item, status: 'failed', reason, advice };
}

/** A warning that the operator knows of and means is none. A failure stays one. */
export function acknowledged(item: Item, words: readonly Acknowledgement[]): Item {
  return item.status === 'warning' && words.some((word) => word === item.item) ? ok(item.item, `${item.reason} (acknowledged in doctor.acknowledge)`) : item;
}
