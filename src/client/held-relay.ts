import type { Connection } from '@libp2p/interface';
import { Probe } from './probing.ts';
import type { ProbeOptions } from './probing.ts';
import { Renewal } from './renewal.ts';
import type { RenewalOptions } from './renewal.ts';
import type { Reservation } from './reservation.ts';

export interface HeldRelayOptions {
  connection: Connection;
  reservation: Reservation;
  renewal: RenewalOptions;
  probe: ProbeOptions;
}

/** A reservation that is held: the connection that it lives on, its renewal, and the probe of its relay. */
export class HeldRelay {
  readonly connection: Connection;
  reservation: Reservation;
  /** The relay's answer to a probe is late: its address is not announced, and dials do not count on it. */
  suspect = false;
  /** It has missed a probe: another relay is looked for. */
  missed = false;
  readonly #renewal: Renewal;
  readonly #probe: Probe;

  constructor(options: HeldRelayOptions) {
    this.connection = options.connection;
    this.reservation = options.reservation;
    this.#renewal = new Renewal(options.reservation, options.renewal);
    this.#probe = new Probe(options.probe);
  }

  /** Begins to probe; renewals are timed from the construction on. */
  start(): void {
    this.#probe.start();
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
