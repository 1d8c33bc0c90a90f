import { abortable } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Argument, Connection } from './connection.ts';
import { storeProblem, unavailable } from './problems.ts';
import type { Script } from './script.ts';
import { SCRIPTS } from './scripts.ts';

/** Runs a script; the result is what the script answers after its first element. @throws RelaydError STORE_UNAVAILABLE; FENCED for a beat */
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

interface LineEvents {
  onUnknown(): void;
  onFenced(): void;
  onProblem(text: string): void;
}

/** One connection, with the scripts that run over it in this relay's name. */
export class Line {
  readonly #connection: Connection;
  readonly #base: string;
  readonly #who: readonly [string, string];
  readonly #events: LineEvents;

  constructor(connection: Connection, { base, relay, epoch, session }: Identity, events: LineEvents) {
    this.#connection = connection;
    this.#base = base;
    this.#who = [relay, `${epoch}.${session}`];
    this.#events = events;
  }

  readonly run: Run = async (script, ...args) => {
    const [outcome, ...rest] = await this.#answer(script, args);
    switch (String(outcome)) {
      case 'unknown':
        this.#events.onUnknown();
        throw unavailable('Redis has lost what this relay had told it: it is told again with the next beat');
      case 'fenced':
        this.#events.onFenced();
        throw new RelaydError(script === SCRIPTS.beat ? 'FENCED' : 'STORE_UNAVAILABLE', 'a newer run of this relay has been in the store: another process with the same identity');
      case 'rebuilding':
        throw unavailable('Redis has lost its data, and not all relays have told theirs again');
      default:
        return rest;
    }
  };

  close(): void {
    this.#connection.close(undefined);
  }

  async #answer(script: Script, args: readonly Argument[]): Promise<unknown[]> {
    try {
      return (await script.run(this.#connection, this.#base, [...this.#who, ...args])) as unknown[];
    } catch (error) {
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
