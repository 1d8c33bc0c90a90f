import type { Clock } from '../lib/clock.ts';
import type { RelayCluster } from '../lib/cluster/relay-cluster.ts';
import type { Logger } from '../lib/logger.ts';
import type { Circuit, CircuitEnd } from './circuit.ts';
import type { UserClass } from './classes.ts';
import type { RelayMetrics } from './metrics.ts';
import type { Reservation, ReservationEvents } from './reservations.ts';

interface JournalOptions {
  metrics: RelayMetrics;
  cluster: RelayCluster | undefined;
  clock: Clock;
  log: Logger;
}

/** Tells the metrics, the log and the cluster what becomes of reservations and circuits. The node's own check is in no metric, and no matter of the cluster. */
export class Journal implements ReservationEvents {
  readonly #o: JournalOptions;

  constructor(options: JournalOptions) {
    this.#o = options;
  }

  opened(reservation: Reservation): void {
    if (reservation.class === 'internal') return;
    this.#o.metrics.reservationOpened();
    this.#tellHeld(reservation);
  }

  renewed(reservation: Reservation): void {
    if (reservation.class === 'internal') return;
    this.#o.metrics.reservationRenewed();
    this.#tellHeld(reservation);
  }

  closed({ class: limitClass, peer }: Reservation): void {
    if (limitClass === 'internal') return;
    this.#o.metrics.reservationClosed();
    this.#o.cluster?.letGo(peer);
  }

  circuitEnded(circuit: Circuit, reason: CircuitEnd): void {
    if (circuit.forwarded?.as === 'exit') {
      this.#o.metrics.forwardedEnded(circuit.class as UserClass, reason);
    } else if (circuit.class !== 'internal') {
      this.#o.metrics.circuitClosed(circuit.class, reason, circuit.durationMs);
    }
    this.#o.log.debug({ circuit: circuit.id, reason, bytesToTarget: circuit.bytesToTarget, bytesToSource: circuit.bytesToSource, durationMs: Math.round(circuit.durationMs) }, 'circuit ended');
  }

  #tellHeld({ peer, expiresAt }: Reservation): void {
    this.#o.cluster?.holds(peer, expiresAt - this.#o.clock.now());
  }
}
