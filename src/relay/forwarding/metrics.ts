import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { USER_CLASSES } from '../classes.ts';
import type { UserClass } from '../classes.ts';

/** Out: for a source of ours, to another relay. In: from another relay, for a peer that is reserved here. */
export type ForwardDirection = 'out' | 'in';

/** What became of a circuit that one relay asked another for. `malformed` and `stranger` are streams that were reset, at the exit. */
const OUTCOMES = {
  entry: ['ok', 'no reservation', 'connection failed', 'refused'],
  exit: ['ok', 'no reservation', 'connection failed', 'refused', 'malformed', 'stranger'],
} as const;
export type EntryOutcome = (typeof OUTCOMES)['entry'][number];
export type ExitOutcome = (typeof OUTCOMES)['exit'][number];

/** Series of circuits over two relays, and the bytes that they have carried. */
export class ForwardMetrics {
  readonly #circuits: Counter<'side' | 'outcome'>;
  readonly #tries: Histogram;
  readonly #bytes: Record<ForwardDirection, Record<UserClass, number>> = { out: { public: 0, member: 0 }, in: { public: 0, member: 0 } };

  /** @param registers none of a relay that is in no cluster: it forwards nothing, and has no series for it */
  constructor(registers: Registry[], maxTries: number) {
    this.#circuits = new Counter({ name: 'relayd_forward_circuits_total', help: 'Circuits asked for between relays, by what became of them', labelNames: ['side', 'outcome'], registers });
    this.#tries = new Histogram({ name: 'relayd_forward_tries', help: 'Relays asked for one circuit', buckets: Array.from({ length: maxTries + 1 }, (_, i) => i), registers });
    OUTCOMES.entry.forEach((outcome) => this.#circuits.inc({ side: 'entry', outcome }, 0));
    OUTCOMES.exit.forEach((outcome) => this.#circuits.inc({ side: 'exit', outcome }, 0));
    this.#addBytes(registers);
  }

  /** @param tries how many relays were asked */
  entry(outcome: EntryOutcome, tries: number): void {
    this.#circuits.inc({ side: 'entry', outcome });
    this.#tries.observe(tries);
  }

  exit(outcome: ExitOutcome): void {
    this.#circuits.inc({ side: 'exit', outcome });
  }

  moved(direction: ForwardDirection, limitClass: UserClass, bytes: number): void {
    this.#bytes[direction][limitClass] += bytes;
  }

  bytes(direction: ForwardDirection, limitClass: UserClass): number {
    return this.#bytes[direction][limitClass];
  }

  #addBytes(registers: Registry[]): void {
    const total = (direction: ForwardDirection): number => USER_CLASSES.reduce((sum, limitClass) => sum + this.bytes(direction, limitClass), 0);
    new Counter({
      name: 'relayd_forward_bytes_total',
      help: 'Bytes of circuits over two relays, both ways together',
      labelNames: ['direction'],
      registers,
      // Set when asked for: bytes move too often to tell each time.
      collect() {
        this.reset();
        (['out', 'in'] as const).forEach((direction) => this.inc({ direction }, total(direction)));
      },
    });
  }
}

/** Which outcome a refusal is. */
export function outcomeOf(limit: string): 'no reservation' | 'connection failed' | 'refused' {
  return limit === 'no reservation' || limit === 'connection failed' ? limit : 'refused';
}
