import { parseArgs } from 'node:util';
import { COMPARISON_OPTIONS, comparisonOf, comparisonUsage, lastUsage, number, numbers } from './options.ts';
import type { Comparison } from './options.ts';

/** What the benchmark `admission` measures: its options, and what follows from them. */

export interface Plan extends Comparison {
  /** Requests at the same time. */
  readonly parallels: readonly number[];
  /** New ones for each of `parallels`; all hold a reservation until the relay ends. */
  readonly peers: number;
  readonly requests: number;
}

export const USAGE = `usage: scripts/bench admission [OPTIONS]

${comparisonUsage('ours,stock-path,go,rust,stock-js')}
  --parallel N,N      requests at the same time (1,32)
  --peers N           that connect and reserve, for each number at the same time (200)
  --requests N        RESERVE of peers that have a reservation, and CONNECT (2000, of js-libp2p's components an eighth)
${lastUsage('admission')}`;

const OPTIONS = {
  ...COMPARISON_OPTIONS,
  relays: { type: 'string', default: 'ours,stock-path,go,rust,stock-js' },
  parallel: { type: 'string', default: '1,32' },
  peers: { type: 'string', default: '200' },
  requests: { type: 'string', default: '2000' },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const comparison = comparisonOf(values);
  return {
    ...comparison,
    parallels: numbers('parallel', values.parallel),
    peers: number('peers', values.peers),
    requests: number('requests', values.requests),
  };
}
