import { parseArgs } from 'node:util';
import { names, niceOf, number, numbers } from './options.ts';
import { RELAY_NAMES } from './relays.ts';
import type { RelayName, Security } from './relays.ts';

/** What the benchmark `admission` measures: its options, and what follows from them. */

export interface Plan {
  readonly relays: readonly RelayName[];
  readonly securities: readonly Security[];
  /** Requests at the same time. */
  readonly parallels: readonly number[];
  /** New ones for each of `parallels`; all hold a reservation until the relay ends. */
  readonly peers: number;
  readonly requests: number;
  readonly nice: number;
  readonly plot: boolean;
}

export const USAGE = `usage: scripts/bench admission [OPTIONS]

  --relays A,B        of ${RELAY_NAMES.join(', ')} (ours,stock-path,go,rust,stock-js)
  --security A,B      of noise, tls (both)
  --parallel N,N      requests at the same time (1,32)
  --peers N           that connect and reserve, for each number at the same time (200)
  --requests N        RESERVE of peers that have a reservation, and CONNECT (2000, of js-libp2p's components an eighth)
  --raise N           gives the relay and the load this much more priority than others have (0, at most 20; root only): for a busy machine
  --plot              writes docs/performance/admission.svg`;

const OPTIONS = {
  relays: { type: 'string', default: 'ours,stock-path,go,rust,stock-js' },
  security: { type: 'string', default: 'noise,tls' },
  parallel: { type: 'string', default: '1,32' },
  peers: { type: 'string', default: '200' },
  requests: { type: 'string', default: '2000' },
  raise: { type: 'string', default: '0' },
  plot: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  return {
    relays: names('relays', values.relays, RELAY_NAMES),
    securities: names('security', values.security, ['noise', 'tls']),
    parallels: numbers('parallel', values.parallel),
    peers: number('peers', values.peers),
    requests: number('requests', values.requests),
    nice: niceOf('raise', values.raise),
    plot: values.plot,
  };
}
