import type { Clock } from '../../lib/clock.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';

/** A relay that restarts is linked again by then: one that is not is worth a line. */
const WARN_AFTER_MS = 10_000;

/** A relay that comes and goes gets one line in so long. */
const WARN_EVERY_MS = 60_000;

/** Handshakes that follow too fast on one another are not heard to their end: a refusal tells for so long what is wrong. */
const REFUSAL_HOLDS_MS = 30_000;

type Kind = 'refused' | 'absent';

interface Absence {
  /** Of the first failure since there was a link. */
  readonly sinceMs: number;
  refusedAtMs: number;
  /** What has been told of this absence. */
  readonly told: Set<Kind>;
}

/** Relays to which there ought to be a link and is none: why, and a line in the log of those that stay away. */
export class Absences {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #absences = new Map<string, Absence>();
  /** When each was last told of: in this absence or an earlier one. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** No link to `peer`, which is wanted, came about. */
  failed(peer: string, error: unknown): void {
    const now = this.#clock.now();
    const absence = this.#absences.get(peer) ?? { sinceMs: now, refusedAtMs: -Infinity, told: new Set() };
    this.#absences.set(peer, absence);
    if (error instanceof RelaydError && error.code === 'FORBIDDEN') absence.refusedAtMs = now;
    if (this.isRefused(peer)) this.#tell(peer, absence, 'refused', error);
    else if (now - absence.sinceMs >= WARN_AFTER_MS) this.#tell(peer, absence, 'absent', error);
  }

  /** Both have shown that they know the secret. */
  met(peer: string): void {
    this.#absences.delete(peer);
  }

  isRefused(peer: string): boolean {
    return (this.#absences.get(peer)?.refusedAtMs ?? -Infinity) + REFUSAL_HOLDS_MS > this.#clock.now();
  }

  /** Forgets the others. */
  keep(isWanted: (peer: string) => boolean): void {
    for (const known of [this.#absences, this.#toldAtMs]) {
      [...known.keys()].filter((peer) => !isWanted(peer)).forEach((peer) => known.delete(peer));
    }
  }

  clear(): void {
    this.keep(() => false);
  }

  /** Once an absence and reason: a relay that was taken away for good is not to fill the log. */
  #tell(relay: string, absence: Absence, kind: Kind, error: unknown): void {
    const now = this.#clock.now();
    if (absence.told.has(kind) || now - (this.#toldAtMs.get(relay) ?? -Infinity) < WARN_EVERY_MS) {
      return;
    }
    absence.told.add(kind);
    this.#toldAtMs.set(relay, now);
    const line = { relay, error: peerText(errorMessage(error)) };
    if (kind === 'refused') this.#log.warn(line, 'no link to another relay: coordination.cluster and the content of coordination.secretFile must be the same on all relays of a cluster');
    else this.#log.warn({ ...line, seconds: Math.round((now - absence.sinceMs) / 1_000) }, 'no link to another relay of the cluster: it is dialled on; is it down, is its address right, is it one of this cluster, is its clock right?');
  }
}
