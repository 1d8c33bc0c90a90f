import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';
import { kindOf } from './relays.ts';
import type { MeasuredRelay, RelayName } from './relays.ts';
import { raise } from './scheduling.ts';
import { settled } from './settled.ts';
import type { Case, Plan } from './stalled-plan.ts';

/** One relay, new for each measurement, circuits whose readers stop, and a healthy one beside them. */

const MB = 1e6;
const MIB = 1 << 20;
const HEALTHY_WRITE_BYTES = 65_536;
/** Small, so that what is pushed shows to within this. */
const PUSH_WRITE_BYTES = 4096;
/** Not every relay stops a sender: this much in all, but for one circuit no more than that. */
const PUSH_LIMIT = { all: 512 * MIB, each: 64 * MIB };
/** Many circuits share connections as in `relay`. */
const MAX_CONNECTIONS = 8;

const BUFFERED = 'relayd_relay_buffered_bytes';

export interface Measurement extends Case {
  readonly relay: RelayName;
  /** Resident before a reader stopped, while they stand, and after all has arrived. */
  readonly rssMiB: { readonly before: number; readonly stalled: number; readonly after: number };
  readonly rssPerCircuitMiB: number;
  /** That the senders of one circuit got rid of: into the relay, and the muxers and sockets at both ends. */
  readonly pushedPerCircuitMiB: number;
  /** Whether the relay took all that the senders were given to send: what it holds has no bound, or a larger one. */
  readonly unbounded: boolean;
  /** What the relay itself says that it holds, when it is a relayd. */
  readonly bufferedMiB: { readonly stalled: number; readonly after: number } | undefined;
  /** Of the healthy circuit. */
  readonly megabytesPerSecond: { readonly before: number; readonly stalled: number };
}

interface Moved {
  bytes: number;
  seconds: number;
}

/** @throws Error when a byte is wrong or missing */
export async function measure(name: RelayName, work: Case, plan: Plan): Promise<Measurement> {
  const program = await built(LOAD);
  const relay = await kindOf(name).start(work.security, []);
  const load = new LineProcess('load', program, ['stall', '--relay', relay.addr, '--security', work.security]);
  try {
    await load.ready();
    raise([relay, load], plan.nice);
    return { relay: name, ...work, ...(await measured(relay, load, work, bytesOf(name, plan))) };
  } finally {
    await load.stop();
    await relay.stop();
  }
}

function bytesOf(name: RelayName, { bytes }: Plan): number {
  return bytes * (kindOf(name).share ?? 1);
}

async function measured(relay: MeasuredRelay, load: LineProcess, { circuits, placement }: Case, bytes: number): Promise<Omit<Measurement, keyof Case | 'relay'>> {
  const connections = placement === 'shared' ? 1 : Math.min(circuits, MAX_CONNECTIONS);
  await load.order('open', { circuits, connections, shared: placement === 'shared' });
  await healthySpeed(load, bytes);
  const speedBefore = await healthySpeed(load, bytes);
  const before = await rssMiB(relay);

  const limit = Math.min(PUSH_LIMIT.each, Math.floor(PUSH_LIMIT.all / circuits));
  const pushed = await load.order<Moved>('push', { write: PUSH_WRITE_BYTES, limit });
  const stalled = await rssMiB(relay);
  const bufferedStalled = await bufferedMiB(relay);
  const speedStalled = await healthySpeed(load, bytes);

  await load.order('resume');
  const after = await rssMiB(relay);
  const bufferedAfter = await bufferedMiB(relay);
  return {
    rssMiB: { before, stalled, after },
    rssPerCircuitMiB: (stalled - before) / circuits,
    pushedPerCircuitMiB: pushed.bytes / circuits / MIB,
    unbounded: pushed.bytes >= limit * circuits,
    bufferedMiB: bufferedStalled === undefined || bufferedAfter === undefined ? undefined : { stalled: bufferedStalled, after: bufferedAfter },
    megabytesPerSecond: { before: speedBefore, stalled: speedStalled },
  };
}

async function healthySpeed(load: LineProcess, bytes: number): Promise<number> {
  const pumped = await load.order<Moved>('pump', { bytes, write: HEALTHY_WRITE_BYTES });
  return pumped.bytes / pumped.seconds / MB;
}

async function rssMiB(relay: MeasuredRelay): Promise<number> {
  return (await settled(relay.pid)).rssKiB / 1024;
}

async function bufferedMiB(relay: MeasuredRelay): Promise<number | undefined> {
  const bytes = await relay.gauge?.(BUFFERED);
  return bytes === undefined ? undefined : bytes / MIB;
}
