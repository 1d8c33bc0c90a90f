import type { Connection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { ping } from '../lib/ping.ts';
import { Probe } from './probing.ts';
import type { ProbeSettings } from './probing.ts';

/**
 * A relay in reserve is probed this many times less often than one that is held: nothing of a user hangs on it, and 64 bytes in
 * half a minute keep the connection open in any NAT.
 */
const PATIENCE = 6;

interface StandbyOptions {
  connection: Connection;
  clock: Clock;
  random: () => number;
  probeSettings: () => ProbeSettings;
  smoothedRttMs: () => number | undefined;
  onAnswer: (rttMs: number) => void;
  /** It does not answer: it is no reserve. */
  onDead: () => void;
}

/** A relay that is connected and probed and not asked for anything: a failover to it is one RESERVE. */
export class StandbyRelay {
  readonly connection: Connection;
  readonly #probe: Probe;

  constructor(options: StandbyOptions) {
    const { connection, clock } = options;
    this.connection = connection;
    this.#probe = new Probe({
      ...options,
      settings: () => ({ intervalMs: options.probeSettings().intervalMs * PATIENCE, timeoutMs: options.probeSettings().timeoutMs }),
      ping: (signal) => ping(connection, clock, signal),
      onSuspect: () => {},
      onMissed: options.onDead,
    });
    this.#probe.start();
  }

  stop(): void {
    this.#probe.stop();
  }
}
