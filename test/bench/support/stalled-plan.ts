import { parseArgs } from 'node:util';
import { names, niceOf, number, numbers } from './options.ts';
import { RELAY_NAMES } from './relays.ts';
import type { RelayName, Security } from './relays.ts';

/** What the benchmark `stalled` measures: its options, and what follows from them. */

const MIB = 1 << 20;

/** Where the circuits with stopped readers run: on connections of their own, or on the two of the healthy one. */
export type Placement = 'other' | 'shared';

export interface Case {
  readonly security: Security;
  readonly circuits: number;
  readonly placement: Placement;
}

export interface Plan {
  readonly relays: readonly RelayName[];
  readonly cases: readonly Case[];
  /** Of the healthy circuit, each time. */
  readonly bytes: number;
  readonly nice: number;
  readonly plot: boolean;
}

const PLACEMENTS = ['other', 'shared'] as const;

export const USAGE = `usage: scripts/bench stalled [OPTIONS]

  --relays A,B        of ${RELAY_NAMES.join(', ')} (ours,go)
  --security A,B      of noise, tls (both)
  --circuits N,N      circuits whose readers stop (1,10,100)
  --placement A,B     on other connections than the healthy circuit, on the same (other,shared)
  --mb N              MiB that the healthy circuit carries each time (256)
  --raise N           gives the relay and the load this much more priority than others have (0, at most 20; root only): for a busy machine
  --plot              writes docs/performance/stalled.svg`;

const OPTIONS = {
  relays: { type: 'string', default: 'ours,go' },
  security: { type: 'string', default: 'noise,tls' },
  circuits: { type: 'string', default: '1,10,100' },
  placement: { type: 'string', default: PLACEMENTS.join(',') },
  mb: { type: 'string', default: '256' },
  raise: { type: 'string', default: '0' },
  plot: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const placements = names<Placement>('placement', values.placement, PLACEMENTS);
  const counts = numbers('circuits', values.circuits);
  return {
    relays: names('relays', values.relays, RELAY_NAMES),
    cases: names<Security>('security', values.security, ['noise', 'tls']).flatMap((security) => placements.flatMap((placement) => counts.map((circuits) => ({ security, circuits, placement })))),
    bytes: number('mb', values.mb) * MIB,
    nice: niceOf('raise', values.raise),
    plot: values.plot,
  };
}
