import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { sleep } from '../../lib/deadline.ts';
import type { Argument } from './connection.ts';
import type { Line, Run } from './line.ts';
import { storeProblem, unavailable } from './problems.ts';
import type { Script } from './script.ts';
import { slotNews } from './slot.ts';

/** Commands wait for the slot as long as for an answer: after that the store counts as away. Some thousands of keys are moved in a tenth of it. */
const PATIENCE_MS = 1_000;

/** Between looks at where the slot is: at first as often as a few keys take, then as rarely as nobody notices. */
const FIRST_LOOK_MS = 2;
const MAX_LOOK_MS = 50;

/** As many as may be under way on a connection. */
const MAX_WAITING = 16_384;

/** Of a line, what is used here. */
type Way = Pick<Line, 'run' | 'look' | 'close' | 'where'>;

interface Command {
  readonly number: number;
  readonly script: Script;
  readonly args: readonly Argument[];
  readonly resolve: (answer: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The slot is on its way. */
interface Hold {
  /** The number of the first command that was not carried out. */
  readonly since: number;
  readonly waiting: Command[];
  readonly timer: TimerHandle;
  readonly over: AbortController;
  /** Where it is looked for. */
  followed: Way | undefined;
  /** What is said to who waits no longer. */
  isLong: boolean;
  text: string;
}

/**
 * The way of commands to the line that is open now. While a Redis Cluster moves the slot of the keys they wait, in their order, and are carried out where it
 * comes to be. They are not sent after the keys that have gone already, as ASK would have it: a script there finds but some of what it counts, and what it
 * writes is in the way of the keys that come after.
 */
export class Passage {
  readonly #clock: Clock;
  readonly #onLong: (problem: string) => void;
  #line: Way | undefined;
  #hold: Hold | undefined;
  #problem = 'Redis is not connected';
  #count = 0;

  /** @param onLong commands have waited in vain for the slot */
  constructor(clock: Clock, onLong: (problem: string) => void) {
    this.#clock = clock;
    this.#onLong = onLong;
  }

  /** @throws RelaydError STORE_UNAVAILABLE, as a rejection; at once while there is no line */
  readonly run: Run = (script, ...args) => new Promise((resolve, reject) => this.#go({ number: this.#count++, script, args, resolve, reject }));

  get line(): Way | undefined {
    return this.#line;
  }

  /** From now on over this one; what waited goes first. @param error of its first command */
  open(line: Way, error: unknown): void {
    this.#line = line;
    if (slotNews(error) !== undefined) this.#wait(line, this.#count, error);
    else this.#release();
  }

  /** There is no line any more; what waits fails. */
  close(problem: string): void {
    this.#line = undefined;
    this.#problem = problem;
    this.#end().forEach(({ reject }) => reject(unavailable(problem)));
  }

  #go(command: Command): void {
    const hold = this.#hold;
    if (hold !== undefined) this.#queue(hold, command);
    else if (this.#line === undefined) command.reject(unavailable(this.#problem));
    else void this.#send(this.#line, command);
  }

  #queue({ isLong, text, waiting }: Hold, command: Command): void {
    if (isLong || waiting.length >= MAX_WAITING) command.reject(unavailable(text));
    else waiting.push(command);
  }

  async #send(line: Way, command: Command): Promise<void> {
    const { number, script, args, resolve, reject } = command;
    try {
      resolve(await line.run(script, ...args));
      // The slot has stayed after all, and a later command has overtaken: all is told anew.
      if (this.#hold !== undefined && this.#line === line && number > this.#hold.since) line.close(new Error('the slot was not moved after all'));
    } catch (error) {
      if (slotNews(error) === undefined) reject(error);
      else this.#queue(this.#wait(line, number, error), command);
    }
  }

  #wait(line: Way, since: number, error: unknown): Hold {
    const hold = (this.#hold ??= this.#begin(since));
    hold.text = storeProblem(error, line.where).text;
    if (hold.followed !== line) {
      hold.followed = line;
      void this.#follow(line, hold.over.signal);
    }
    return hold;
  }

  #begin(since: number): Hold {
    const timer = this.#clock.setTimer(() => this.#giveUp(), PATIENCE_MS);
    return { since, waiting: [], timer, over: new AbortController(), followed: undefined, isLong: false, text: '' };
  }

  /** Until the slot is here or elsewhere. An answer comes after those to all commands before: these wait too by then, if they were not carried out. */
  async #follow(line: Way, over: AbortSignal): Promise<void> {
    for (let pause = FIRST_LOOK_MS; !over.aborted; pause = Math.min(MAX_LOOK_MS, 2 * pause)) {
      try {
        await line.look();
        if (!over.aborted) this.#release();
      } catch (error) {
        if (slotNews(error) !== 'moving') return line.close(error);
        await sleep(pause, this.#clock, over);
      }
    }
  }

  #giveUp(): void {
    const hold = this.#hold;
    if (hold === undefined) return;
    hold.isLong = true;
    this.#onLong(hold.text);
    hold.waiting.splice(0).forEach(({ reject }) => reject(unavailable(hold.text)));
  }

  #release(): void {
    this.#end().forEach((command) => this.#go(command));
  }

  /** In the order in which they were given. */
  #end(): Command[] {
    const hold = this.#hold;
    this.#hold = undefined;
    hold?.timer.cancel();
    hold?.over.abort();
    return hold?.waiting.sort((a, b) => a.number - b.number) ?? [];
  }
}
