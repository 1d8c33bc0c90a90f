import type { RelayCounts } from '../lib/contracts.ts';
import type { LimitClass, UserClass } from './classes.ts';
import type { RelayContext } from './context.ts';
import type { RelayGauges } from './metrics.ts';

type Tallied = Readonly<Pick<RelayContext, 'reservations' | 'slots' | 'ledgers' | 'policy'>>;

interface TallyOptions {
  /** Another one after each start. */
  context: () => Tallied;
  /** Whether the relay serves anyone; may change. */
  isOpen: () => boolean;
}

/** How much of each limit class is held, and how much there may be. The bytes are those since the relay was made. */
export class Tally implements RelayGauges {
  readonly #o: TallyOptions;
  readonly #bytesRelayed: Record<UserClass, number> = { public: 0, member: 0 };

  constructor(options: TallyOptions) {
    this.#o = options;
  }

  /** Bytes handed on, of any circuit. */
  moved(limitClass: LimitClass, bytes: number): void {
    if (limitClass !== 'internal') {
      this.#bytesRelayed[limitClass] += bytes;
    }
  }

  /** A class that nobody can be in has no room. */
  isUsable(limitClass: UserClass): boolean {
    return limitClass === 'public' ? this.#o.isOpen() : this.#o.context().policy.membership.servesMembers;
  }

  all(): RelayCounts & { classes: Record<UserClass, RelayCounts> } {
    const classes = { public: this.of('public'), member: this.of('member') };
    const sum = (read: (counts: RelayCounts) => number): number => read(classes.public) + read(classes.member);
    return {
      reservations: { count: sum((c) => c.reservations.count), max: sum((c) => c.reservations.max) },
      circuits: { count: sum((c) => c.circuits.count), max: sum((c) => c.circuits.max) },
      bytesRelayed: sum((c) => c.bytesRelayed),
      bufferedBytes: sum((c) => c.bufferedBytes),
      classes,
    };
  }

  of(limitClass: UserClass): RelayCounts {
    const limits = this.#o.context().policy.limits(limitClass);
    const usable = this.isUsable(limitClass);
    return {
      reservations: { count: this.reservations(limitClass), max: usable ? limits.reservations.max : 0 },
      circuits: { count: this.circuits(limitClass), max: usable ? limits.circuits.max : 0 },
      bytesRelayed: this.#bytesRelayed[limitClass],
      bufferedBytes: this.bufferedBytes(limitClass),
    };
  }

  reservations(limitClass: UserClass): number {
    return this.#o.context().reservations.count(limitClass);
  }

  circuits(limitClass: UserClass): number {
    return this.#o.context().slots.count(limitClass);
  }

  bufferedBytes(limitClass: UserClass): number {
    return this.#o.context().ledgers[limitClass].held;
  }

  bytesRelayed(): number {
    return this.#bytesRelayed.public + this.#bytesRelayed.member;
  }

  limits(limitClass: UserClass): Record<'reservations' | 'circuits' | 'bufferedBytes', number> {
    const { reservations, circuits } = this.of(limitClass);
    return { reservations: reservations.max, circuits: circuits.max, bufferedBytes: this.#o.context().ledgers[limitClass].maximum };
  }
}
