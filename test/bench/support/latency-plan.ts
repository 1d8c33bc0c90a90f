import { parseArgs } from 'node:util';
import { COMPARISON_OPTIONS, comparisonOf, comparisonUsage, lastUsage, names, number, numbers } from './options.ts';
import type { Comparison } from './options.ts';
import type { Security } from './relays.ts';

/** What the benchmark `latency` measures: its options, and what follows from them. */

/** Where the bulk circuits run: on connections of their own, or on the two of the circuit that is pinged. */
export type Placement = 'idle' | 'other' | 'shared';

/** One relay, new for each, and what it relays while it is measured. */
export interface Case {
  readonly security: Security;
  readonly placement: Placement;
  readonly bulk: number;
}

export interface Plan extends Comparison {
  readonly cases: readonly Case[];
  readonly sizes: readonly number[];
  readonly seconds: number;
  readonly gapUs: number;
  readonly rounds: number;
  readonly nodeArgs: readonly string[];
}

const PLACEMENTS = ['other', 'shared'] as const;

export const USAGE = `usage: scripts/bench latency [OPTIONS]

${comparisonUsage('ours,go')}
  --bulk N,N          circuits that carry as much as they can meanwhile (1,8,64); without any it is measured too
  --placement A,B     bulk circuits on other connections, on the shared ones of the circuit that is pinged (other,shared)
  --sizes N,N         bytes of a ping (32,1024)
  --seconds N         of each measurement (4)
  --gap-us N          microseconds from one ping to the next beside bulk (2000); without bulk a ping follows the answer of the last
  --rounds N          the result is the median of this many (1)
  --node-arg ARG      for the Node that runs our relay; may be given again
${lastUsage('latency')}`;

const OPTIONS = {
  ...COMPARISON_OPTIONS,
  relays: { type: 'string', default: 'ours,go' },
  bulk: { type: 'string', default: '1,8,64' },
  placement: { type: 'string', default: PLACEMENTS.join(',') },
  sizes: { type: 'string', default: '32,1024' },
  seconds: { type: 'string', default: '4' },
  'gap-us': { type: 'string', default: '2000' },
  rounds: { type: 'string', default: '1' },
  'node-arg': { type: 'string', multiple: true },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const comparison = comparisonOf(values);
  const loads = loadsOf(names('placement', values.placement, PLACEMENTS), numbers('bulk', values.bulk));
  return {
    ...comparison,
    cases: comparison.securities.flatMap((security) => loads.map((load) => ({ security, ...load }))),
    sizes: numbers('sizes', values.sizes),
    seconds: number('seconds', values.seconds),
    gapUs: number('gap-us', values['gap-us']),
    rounds: number('rounds', values.rounds),
    nodeArgs: values['node-arg'] ?? [],
  };
}

function loadsOf(placements: readonly Placement[], counts: readonly number[]): Pick<Case, 'placement' | 'bulk'>[] {
  return [{ placement: 'idle', bulk: 0 }, ...placements.flatMap((placement) => counts.map((bulk) => ({ placement, bulk })))];
}
