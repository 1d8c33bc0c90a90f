import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { NodeView } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { History, SAMPLE_STEP_MS } from './history.ts';
import type { Point } from './history.ts';
import { Watchers } from './watchers.ts';

/** What `/api/v1/events` tells with each step. */
export interface Tick extends Point {
  readonly status: Record<string, unknown>;
}

export interface SamplingOptions {
  view: Pick<NodeView, 'sample' | 'status'>;
  clock: Clock;
  log: Logger;
}

/** Looks at the node every two seconds: keeps what it sees for the plots, and tells whoever watches. */
export class Sampling {
  readonly history = new History();
  readonly watchers = new Watchers();
  readonly #o: SamplingOptions;
  /** One for each time it is started: what a look of an earlier time finds is dropped. */
  #run: { next?: TimerHandle } | undefined;

  constructor(options: SamplingOptions) {
    this.#o = options;
  }

  start(): void {
    this.#run = {};
    void this.#look(this.#run);
  }

  stop(): void {
    this.#run?.next?.cancel();
    this.#run = undefined;
    this.watchers.stop();
  }

  /** One at a time: the next is due when this one is over. Never rejects. */
  async #look(run: { next?: TimerHandle }): Promise<void> {
    const { view, clock, log } = this.#o;
    try {
      const sample = await view.sample();
      if (this.#run === run) this.#tell(this.history.add(sample, clock.now(), clock.wall()));
    } catch (error) {
      log.debug({ error: errorMessage(error) }, 'there is nothing to show on the status page now');
      this.watchers.beat();
    }
    if (this.#run === run) run.next = clock.setTimer(() => void this.#look(run), SAMPLE_STEP_MS);
  }

  #tell(point: Point): void {
    const tick: Tick = { ...point, status: this.#o.view.status() };
    this.watchers.tell('tick', JSON.stringify(tick));
  }
}
