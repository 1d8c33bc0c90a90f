import { randomUUID } from 'node:crypto';
import { abortable } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Proofs } from '../proofs.ts';
import type { Argument, Connection } from './connection.ts';
import { storeProblem, unavailable } from './problems.ts';
import type { Script } from './script.ts';
import { SCRIPTS } from './scripts.ts';
import { slotNews } from './slot.ts';

/** A beat that is told of one newer run after another, none of which is true, is given up: somebody writes them as fast. */
const MAX_TRIES = 3;

/**
 * Runs a script; the result is what the script answers after its first element.
 *
 * @throws RelaydError STORE_UNAVAILABLE; FENCED for a beat; over a {@link Line} also the server's own Error, of which {@link slotNews} knows what it says
 */
export type Run = (script: Script, ...args: readonly Argument[]) => Promise<unknown[]>;

/** As what this relay speaks. */
interface Identity {
  /** What all keys begin with. */
  readonly base: string;
  readonly relay: string;
  readonly epoch: number;
  /** Which connection of this epoch it is. */
  readonly session: number;
}

interface LineEvents extends Pick<Proofs, 'provesNewer'> {
  onUnknown(): void;
  onFenced(): void;
  onProblem(text: string): void;
}

/** One connection, with the scripts that run over it in this relay's name. */
export class Line {
  readonly #connection: Connection;
  readonly #base: string;
  readonly #relay: string;
  readonly #run: string;
  readonly #events: LineEvents;
  /** What the store has said to be the epoch of a newer run, and was none. */
  #disproved = '';

  constructor(connection: Connection, { base, relay, epoch, session }: Identity, events: LineEvents) {
    this.#connection = connection;
    this.#base = base;
    this.#relay = relay;
    this.#run = `${epoch}.${session}`;
    this.#events = events;
  }

  readonly run: Run = async (script, ...args) => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const answer = await this.#answer(script, args);
      if (String(answer[0]) !== 'fenced') return this.#result(answer);
      await this.#checkFence(script, answer);
      // Another script's work waits until this relay is known again.
      if (script !== SCRIPTS.beat) return this.#result(['unknown']);
    }
    const text = 'somebody writes in Redis that a newer run of this relay is alive, and does not have its key: who can write there?';
    this.#events.onProblem(text);
    throw unavailable(text);
  };

  /** @throws RelaydError STORE_UNAVAILABLE */
  #result([outcome, ...rest]: readonly unknown[]): unknown[] {
    switch (String(outcome)) {
      case 'unknown':
        this.#events.onUnknown();
        throw unavailable('Redis has lost what this relay had told it: it is told again with the next beat');
      case 'rebuilding':
        throw unavailable('Redis has lost its data, and not all relays have told theirs again');
      default:
        return rest;
    }
  }

  /** Whoever can write to the store can claim that there is a newer run of this relay; only that run itself can have signed its record. */
  async #checkFence(script: Script, [, claimed, record]: readonly unknown[]): Promise<void> {
    if (record instanceof Buffer && (await this.#events.provesNewer(record))) {
      this.#events.onFenced();
      throw new RelaydError(script === SCRIPTS.beat ? 'FENCED' : 'STORE_UNAVAILABLE', 'a newer run of this relay has been in the store: another process with the same identity');
    }
    this.#disproved = String(claimed);
  }

  get where(): string {
    return this.#connection.where;
  }

  close(why?: unknown): void {
    this.#connection.close(why);
  }

  /** Resolves if the slot of the keys is here, as a whole: a key that nobody can have made is asked for, which one that is being moved sends elsewhere. @throws Error that {@link slotNews} knows, or of the connection */
  async look(): Promise<void> {
    await this.#connection.command(['GET', `${this.#base}:look:${randomUUID()}`]);
  }

  async #answer(script: Script, args: readonly Argument[]): Promise<unknown[]> {
    try {
      return (await script.run(this.#connection, this.#base, [this.#relay, `${this.#run}.${this.#disproved}`, ...args])) as unknown[];
    } catch (error) {
      if (slotNews(error) !== undefined) throw error;
      const { text, elsewhere } = storeProblem(error, this.#connection.where);
      if (elsewhere) {
        this.#connection.close(error);
      } else {
        this.#events.onProblem(text);
      }
      throw unavailable(text, error);
    }
  }
}

/** As {@link abortable}, with CLOSED as the error. */
export async function closedBy<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await abortable(promise, signal);
  } catch (error) {
    throw signal.aborted ? new RelaydError('CLOSED', 'the question to Redis was given up', { cause: error }) : error;
  }
}
