import { parseArgs } from 'node:util';
import { COMPARISON_OPTIONS, comparisonOf, comparisonUsage, lastUsage, names, number, numbers } from './options.ts';
import type { Comparison } from './options.ts';
import type { Security } from './relays.ts';

/** What the benchmark `stalled` measures: its options, and what follows from them. */

const MIB = 1 << 20;

/** Where the circuits with stopped readers run: on connections of their own, or on the two of the healthy one. */
export type Placement = 'other' | 'shared';

export interface Case {
  readonly security: Security;
  readonly circuits: number;
  readonly placement: Placement;
}

export interface Plan extends Comparison {
  readonly cases: readonly Case[];
  /** Of the healthy circuit, each time. */
  readonly bytes: number;
}

const PLACEMENTS = ['other', 'shared'] as const;

export const USAGE = `usage: scripts/bench stalled [OPTIONS]

${comparisonUsage('ours,go')}
  --circuits N,N      circuits whose readers stop (1,10,100)
  --placement A,B     on other connections than the healthy circuit, on the same (other,shared)
  --mb N              MiB that the healthy circuit carries each time (256)
${lastUsage('stalled')}`;

const OPTIONS = {
  ...COMPARISON_OPTIONS,
  relays: { type: 'string', default: 'ours,go' },
  circuits: { type: 'string', default: '1,10,100' },
  placement: { type: 'string', default: PLACEMENTS.join(',') },
  mb: { type: 'string', default: '256' },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const comparison = comparisonOf(values);
  const placements = names<Placement>('placement', values.placement, PLACEMENTS);
  const counts = numbers('circuits', values.circuits);
  return {
    ...comparison,
    cases: comparison.securities.flatMap((security) => placements.flatMap((placement) => counts.map((circuits) => ({ security, circuits, placement })))),
    bytes: number('mb', values.mb) * MIB,
  };
}
