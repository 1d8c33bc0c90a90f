/** What is to be done once at the end of this turn of the event loop, whoever asks and however often. */
class Turn {
  #jobs: (() => void)[] = [];
  #spare: (() => void)[] = [];
  #scheduled = false;

  /** `job` must not throw. The caller sees to it that it asks once a turn. */
  atEnd(job: () => void): void {
    this.#jobs.push(job);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#run);
    }
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    const jobs = this.#jobs;
    this.#jobs = this.#spare;
    this.#spare = jobs;
    for (const job of jobs) {
      job();
    }
    jobs.length = 0;
  };
}

/** One for the process: all connections flush in one pass. */
export const turn = new Turn();
