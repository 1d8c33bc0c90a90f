import type { Clock } from '../../lib/clock.ts';
import { leftToOne, usableLimit } from '../bound.ts';
import { Owners } from './owners.ts';

/** Which relays are alive, and how many are known: as the registry tells. */
export interface LiveView {
  readonly live: readonly string[];
  readonly known: number;
}

/** Views that are looked back at: more changes within the time in which reports come in are a storm, in which everything counts as not known. */
const MAX_HISTORY = 8;

/** How many relays are known changes as they are forgotten, of which nobody is told. */
const LOOK_EVERY_MS = 1_000;

interface NumberedView {
  readonly number: number;
  readonly owners: Owners;
}

/** This relay's view of who is alive, and those that went before it. */
export class Views {
  readonly #self: string;
  readonly #read: () => LiveView;
  readonly #clock: Clock;
  #history: NumberedView[] = [];
  #known = 1;
  #lookedAt = -Infinity;
  changedAt = 0;

  constructor(self: string, read: () => LiveView, clock: Clock) {
    this.#self = self;
    this.#read = read;
    this.#clock = clock;
  }

  get number(): number {
    return this.#history.at(-1)?.number ?? 0;
  }

  get owners(): Owners {
    const newest = this.#history.at(-1);
    return newest === undefined ? this.#add([this.#self]) : newest.owners;
  }

  /** Relays that may be at work, this one included; never fewer than those that are alive. */
  get known(): number {
    if (this.#clock.now() - this.#lookedAt >= LOOK_EVERY_MS) {
      this.#lookedAt = this.#clock.now();
      this.#known = this.#read().known;
    }
    return Math.max(this.#known, this.owners.relays.length);
  }

  /** Looks who is alive now; whether that has changed. */
  update(): boolean {
    const before = this.#history.at(-1)?.owners.digest;
    const { live, known } = this.#read();
    this.#known = known;
    this.#lookedAt = this.#clock.now();
    const owners = new Owners([...live, this.#self]);
    if (owners.digest === before) {
      return false;
    }
    this.#add(owners.relays);
    return true;
  }

  /**
   * What the relays that see each other may use of a limit.
   *
   * @param silent so many of those that are alive do not say what they hold: they count as not seen
   */
  usable(limit: number, silent: number): number {
    return usableLimit(limit, this.owners.relays.length - silent, this.known);
  }

  /** What a relay may use of it that nobody answers. */
  alone(limit: number): number {
    return usableLimit(limit, 1, this.known);
  }

  /** What those that may use the whole of it leave to each relay that they do not see. */
  leftToOne(limit: number): number {
    return leftToOne(limit, this.known);
  }

  /** Whether this relay has owned `key` in every view from the one of `number` on. */
  ownedSince(number: number, key: string): boolean {
    const since = this.#history.filter((view) => view.number >= number);
    return since[0]?.number === number && since.every(({ owners }) => owners.of(key) === this.#self);
  }

  #add(relays: readonly string[]): Owners {
    const owners = new Owners(relays);
    this.changedAt = this.#clock.now();
    this.#history = [...this.#history, { number: this.number + 1, owners }].slice(-MAX_HISTORY);
    return owners;
  }
}
