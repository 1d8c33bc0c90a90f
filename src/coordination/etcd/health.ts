import type { Gateway } from './gateway.ts';

/** Why the store cannot be relied on now: as questions fail, and as its members themselves say. */
export class Health {
  readonly #look: Gateway['look'];
  readonly #tell: (problem: string | undefined) => void;
  #question: string | undefined;
  #watch: string | undefined;
  #latest: string | undefined;
  #told: string | undefined;
  #looking = false;
  #isClosed = false;

  constructor(look: Gateway['look'], tell: (problem: string | undefined) => void) {
    this.#look = look;
    this.#tell = tell;
  }

  get problem(): string | undefined {
    return this.#question ?? this.#watch;
  }

  /** Nothing more is told. */
  close(): void {
    this.#isClosed = true;
  }

  /** A majority has done what was asked. */
  works(): void {
    this.#question = undefined;
    this.#changed();
  }

  fails(problem: string): void {
    this.#latest = problem;
    // What the members say is better than that a question failed: while it goes on failing, only a look changes the text, which does not flicker so.
    this.#question ??= problem;
    this.#changed();
    if (!this.#looking) void this.#lookCloser();
  }

  watchWorks(): void {
    this.#watch = undefined;
    this.#changed();
  }

  watchFails(problem: string): void {
    this.#watch ??= problem;
    this.#changed();
  }

  async #lookCloser(): Promise<void> {
    this.#looking = true;
    const seen = await this.#look();
    this.#looking = false;
    if (this.#question === undefined) return;
    this.#question = seen ?? this.#latest;
    this.#changed();
  }

  #changed(): void {
    if (this.problem === this.#told || this.#isClosed) return;
    this.#told = this.problem;
    this.#tell(this.#told);
  }
}
