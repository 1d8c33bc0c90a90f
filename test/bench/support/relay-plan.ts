import { parseArgs } from 'node:util';
import { names, numbers } from './options.ts';
import { COMPARED, RELAY_NAMES, kindOf } from './relays.ts';
import type { RelayName, Security } from './relays.ts';

/** What the benchmark `relay` measures: its options, and what follows from them. */

/** One row of the result: every relay does this work. */
export interface Case {
  readonly security: Security;
  readonly circuits: number;
  readonly writeBytes: number;
}

export interface Plan {
  readonly relays: readonly RelayName[];
  readonly cases: readonly Case[];
  readonly rounds: number;
  /** Bytes of every measurement, where the command line says so. */
  readonly bytes: number | undefined;
  /** Where a CPU profile of ours is left. */
  readonly profileDir: string | undefined;
  readonly plot: boolean;
}

const MIB = 1 << 20;

/** The smaller the writes, the fewer the bytes: each measurement takes seconds. From this write size on, so many MiB. */
const MIB_BY_WRITE = [
  { writeBytes: 16_384, mib: 1024 },
  { writeBytes: 4096, mib: 512 },
  { writeBytes: 1024, mib: 256 },
  { writeBytes: 0, mib: 48 },
] as const;

/** Less would be lost in the 10 ms in which the kernel counts CPU time. */
const MIN_BYTES = 16 * MIB;

/** Compilers have settled and buffers have grown after this; a slow case is not warmed for longer than it is measured. */
const WARM_UP_BYTES = 64 * MIB;

export const USAGE = `usage: scripts/bench relay [OPTIONS]

  --relays A,B        of ${RELAY_NAMES.join(', ')} (all but those over WebSocket)
  --writes N,N        bytes of each write of the sender (65536,1024)
  --circuits N,N      circuits at the same time (1,8)
  --security A,B      of noise, tls (both)
  --rounds N          the result is the median of this many (3)
  --mb N              MiB of each measurement (1024, less for small writes and for js-libp2p)
  --full              writes 65536,16384,4096,1024,128 and circuits 1,8,64
  --profile DIR       leaves CPU profiles of ours there, and lists where the time went
  --plot              writes docs/performance/relay.svg`;

const OPTIONS = {
  relays: { type: 'string', default: COMPARED.join(',') },
  writes: { type: 'string' },
  circuits: { type: 'string' },
  security: { type: 'string', default: 'noise,tls' },
  rounds: { type: 'string', default: '3' },
  mb: { type: 'string' },
  full: { type: 'boolean', default: false },
  profile: { type: 'string' },
  plot: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
export function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const writes = numbers('writes', values.writes ?? (values.full ? '65536,16384,4096,1024,128' : '65536,1024'));
  const circuits = numbers('circuits', values.circuits ?? (values.full ? '1,8,64' : '1,8'));
  const [rounds = 1] = numbers('rounds', values.rounds);
  return {
    relays: names('relays', values.relays, RELAY_NAMES),
    cases: casesOf(names('security', values.security, ['noise', 'tls']), circuits, writes),
    rounds,
    bytes: values.mb === undefined ? undefined : (numbers('mb', values.mb)[0] ?? 0) * MIB,
    profileDir: values.profile,
    plot: values.plot,
  };
}

function casesOf(securities: readonly Security[], circuits: readonly number[], writes: readonly number[]): Case[] {
  return securities.flatMap((security) => circuits.flatMap((count) => writes.map((writeBytes) => ({ security, circuits: count, writeBytes }))));
}

/** How much one measurement carries, and what goes before it. */
export function bytesOf(plan: Plan, relay: RelayName, { writeBytes }: Case): { measured: number; warmUp: number } {
  const measured = plan.bytes ?? defaultBytes(relay, writeBytes);
  return { measured, warmUp: Math.min(WARM_UP_BYTES, Math.ceil(measured / 2)) };
}

function defaultBytes(relay: RelayName, writeBytes: number): number {
  const mib = MIB_BY_WRITE.find((row) => writeBytes >= row.writeBytes)?.mib ?? 0;
  return Math.max(MIN_BYTES, mib * MIB * (kindOf(relay).share ?? 1));
}
