import { delay } from '../../faults/support/time.ts';
import type { Stage } from './stage.ts';

/** Something that is broken on real nodes, so that alerts of configs/prometheus fire. */
export interface Scene {
  /** As scripts/alerts knows it. */
  readonly name: string;
  /** What it does, in a line. */
  readonly title: string;
  /** All that it measures. */
  readonly alerts: readonly string[];
  /** Why it cannot run here, or false. */
  skip?(): string | false;
  run(stage: Stage): Promise<void>;
}

/** Does something again and again, one at a time, from its start to its stop; whether it works is what the scene is about. */
export class Again {
  readonly #everyMs: number;
  readonly #work: () => Promise<unknown> | void;
  #loop: Promise<void> | undefined;
  #isOn = false;

  constructor(everyMs: number, work: () => Promise<unknown> | void) {
    this.#everyMs = everyMs;
    this.#work = work;
  }

  start(): void {
    this.#isOn = true;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      await Promise.resolve(this.#work()).catch(() => {});
      await delay(this.#everyMs);
    }
  }
}
