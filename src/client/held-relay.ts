import type { Connection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { ping } from '../lib/ping.ts';
import { Probe } from './probing.ts';
import type { ProbeOptions, ProbeSettings } from './probing.ts';
import { Renewal } from './renewal.ts';
import type { Reservation } from './reservation.ts';

/** What happens to a reservation; renewal.ts and probing.ts say when. */
export interface HeldRelayEvents extends Pick<ProbeOptions, 'onAnswer' | 'onSuspect' | 'onMissed' | 'onDead'> {
  onRenewed: (reservation: Reservation) => void;
  onRenewalFailed: (error: unknown) => void;
  onExpired: () => void;
}

interface HeldRelayOptions {
  connection: Connection;
  reservation: Reservation;
  /** In a row, before this success. */
  failuresBefore: number;
  clock: Clock;
  random: () => number;
  probeSettings: () => ProbeSettings;
  smoothedRttMs: () => number | undefined;
  reserve: (signal: AbortSignal) => Promise<Reservation>;
  events: HeldRelayEvents;
}

/** A reservation that is held: the connection that it lives on, its renewal, and the probe of its relay. */
export class HeldRelay {
  readonly connection: Connection;
  reservation: Reservation;
  readonly failuresBefore: number;
  /** When it was made, on the monotonic clock. */
  readonly since: number;
  /** The relay's answer to a probe is late: its address is not announced, dials do not count on it, and another relay is reserved. */
  suspect = false;
  /** It does not renew: another relay is held before it expires. */
  refused = false;
  readonly #renewal: Renewal;
  readonly #probe: Probe;

  constructor(options: HeldRelayOptions) {
    const { connection, reservation, clock, random, reserve, events } = options;
    this.connection = connection;
    this.reservation = reservation;
    this.failuresBefore = options.failuresBefore;
    this.since = clock.now();
    this.#renewal = new Renewal(reservation, { clock, random, reserve, ...events, onFailed: events.onRenewalFailed });
    this.#probe = new Probe({
      clock,
      random,
      settings: options.probeSettings,
      ping: (signal) => ping(connection, clock, signal),
      smoothedRttMs: options.smoothedRttMs,
      ...events,
    });
  }

  /** Begins to probe; renewals are timed from the construction on. */
  start(): void {
    this.#probe.start();
  }

  renewNow(): void {
    this.#renewal.renewNow();
  }

  stop(): void {
    this.#renewal.stop();
    this.#probe.stop();
  }

  /** On the monotonic clock. */
  get renewalDueAt(): number {
    return this.#renewal.dueAt;
  }
}
