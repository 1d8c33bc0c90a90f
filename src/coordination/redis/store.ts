import { setMaxListeners } from 'node:events';
import type { Clock } from '../../lib/clock.ts';
import { sleep, withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Proofs } from '../proofs.ts';
import { RenewedFiles } from '../renewed-files.ts';
import { loadClient } from './connection.ts';
import type { Connection } from './connection.ts';
import { findingOf } from './finding.ts';
import type { Finding } from './finding.ts';
import { Line } from './line.ts';
import type { Run } from './line.ts';
import { Passage } from './passage.ts';
import { storeProblem, unavailable } from './problems.ts';
import { Primary } from './primary.ts';
import { SCRIPTS } from './scripts.ts';
import { versionProblem } from './server-info.ts';
import type { ServerInfo } from './server-info.ts';
import { readSettings } from './settings.ts';
import type { Settings, StoreConfig } from './settings.ts';
import { slotNews } from './slot.ts';

/** How long a start waits for the store; after that the relay starts without it and goes on trying. */
const START_PATIENCE_MS = 3_000;

/** Between attempts to connect: soon at first, for most losses are over at once, then no more than once a second. */
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/** How often sentinels are asked whether the primary is still the same: one that was replaced hears of it only some ten seconds later from them. */
const ASK_SENTINELS_EVERY_MS = 2_000;

export interface StoreEvents {
  /** `problem` has changed. */
  onHealth(problem: string | undefined): void;
  /** There is a connection again, which nobody else uses until the result settles. */
  onConnected(run: Run, finding: Finding): Promise<void>;
  onNews(message: Buffer): void;
  /** The store knows nothing of this relay's epoch. */
  onUnknown(): void;
  /** A newer epoch of this relay has been there. */
  onFenced(): void;
}

export interface StoreOptions {
  readonly config: StoreConfig;
  readonly cluster: string;
  readonly self: string;
  readonly epoch: number;
  readonly proofs: Pick<Proofs, 'provesNewer'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps one connection to the server that takes writes, and makes it anew when it is lost. Shared by the registry and the counters: open as long as one of them is started. */
export class RedisStore {
  readonly #options: StoreOptions;
  readonly #base: string;
  /** Which connection of this epoch a command belongs to. */
  #session = 0;
  #events: StoreEvents | undefined;
  readonly #users = new Set<object>();
  #stopping = new AbortController();
  #started: Promise<void> | undefined;
  #keeping: Promise<void> = Promise.resolve();
  readonly #passage: Passage;
  /** The server before. */
  #server: ServerInfo | undefined;
  #problem: string | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#base = `{relayd:${options.cluster}}`;
    this.#passage = new Passage(options.clock, (problem) => this.#setProblem(problem));
  }

  /** Who hears of it; there is one, and it is set before the start. */
  set events(events: StoreEvents) {
    this.#events = events;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** @throws RelaydError FILE_UNREADABLE, CONFIG_INVALID; not when the store is away: `problem` says so then */
  async start(user: object): Promise<void> {
    this.#users.add(user);
    this.#started ??= this.#open();
    try {
      await this.#started;
    } catch (error) {
      this.#users.delete(user);
      this.#started = undefined;
      throw error;
    }
  }

  /** The last user's stop closes the connection. */
  async stop(user: object): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) {
      return;
    }
    this.#stopping.abort(new RelaydError('CLOSED', 'the store is being closed'));
    this.#passage.line?.close();
    await this.#keeping;
    this.#passage.close('Redis is not connected');
    this.#started = undefined;
    this.#problem = undefined;
  }

  readonly run: Run = (script, ...args) => this.#passage.run(script, ...args);

  /** A command's work has shown that the store does what it is asked. */
  works(): void {
    if (this.#passage.line !== undefined) {
      this.#setProblem(undefined);
    }
  }

  async #open(): Promise<void> {
    const { config, clock, log } = this.#options;
    const settings = new RenewedFiles(() => readSettings(config), clock, log);
    await loadClient();
    this.#stopping = new AbortController();
    setMaxListeners(0, this.#stopping.signal);
    const { signal } = this.#stopping;
    const tried = Promise.withResolvers<void>();
    this.#keeping = this.#keep(settings, signal, tried.resolve);
    await withDeadline(START_PATIENCE_MS, clock, [signal], () => tried.promise).catch(() => {
      if (!signal.aborted) this.#setProblem(`Redis has not answered within ${START_PATIENCE_MS} ms`);
    });
  }

  async #keep(settings: RenewedFiles<Settings>, signal: AbortSignal, tried: () => void): Promise<void> {
    const primary = new Primary(settings, this.#base.slice(1, -1), this.#options.clock, this.#options.log);
    let failures = 0;
    let moved: unknown;
    while (!signal.aborted) {
      try {
        const connection = await this.#connect(primary, moved, signal);
        failures = 0;
        tried();
        const openedAt = this.#options.clock.now();
        const why = await this.#whileOpen(connection, primary, signal);
        const isFirstMove = moved === undefined || this.#options.clock.now() - openedAt > MAX_RETRY_MS;
        moved = slotNews(why) === 'moved' ? why : undefined;
        // What waits for the slot goes on waiting; only nodes that send from one to the other and back are not believed.
        if (moved !== undefined && isFirstMove) continue;
        this.#lost(why, connection.where, signal);
      } catch (error) {
        moved = undefined;
        this.#lost(error, undefined, signal);
      }
      settings.readAgain();
      tried();
      const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++);
      await sleep(delay * (0.5 + Math.random() / 2), this.#options.clock, signal);
    }
  }

  /** @returns why it is open no more */
  async #whileOpen(connection: Connection, primary: Primary, signal: AbortSignal): Promise<unknown> {
    const closed = new AbortController();
    const why = connection.closed.finally(() => closed.abort());
    while (!closed.signal.aborted) {
      await sleep(ASK_SENTINELS_EVERY_MS, this.#options.clock, closed.signal);
      if (!closed.signal.aborted && (await primary.hasMoved(connection.where, signal))) {
        connection.close(new Error('the sentinels name another primary'));
      }
    }
    return why;
  }

  /** @param moved see {@link Primary.connect} */
  async #connect(primary: Primary, moved: unknown, signal: AbortSignal): Promise<Connection> {
    const { connection, info } = await primary.connect(moved, signal);
    try {
      this.#check(info, connection.where);
      await connection.subscribe(`${this.#base}:news`, (message) => this.#events?.onNews(message), signal);
      await Promise.all(Object.values(SCRIPTS).map((script) => script.load(connection)));
      await this.#greet(connection, info, moved !== undefined);
      signal.throwIfAborted();
      return connection;
    } catch (error) {
      connection.close(error);
      throw error instanceof RelaydError ? error : new Error(storeProblem(error, connection.where).text, { cause: error });
    }
  }

  #check(info: ServerInfo, where: string): void {
    const { isPrimary, evicts } = info;
    const tooOld = versionProblem(info, where);
    if (tooOld !== undefined) {
      throw unavailable(tooOld);
    }
    if (!isPrimary) {
      throw unavailable(`Redis at ${where} is a replica, which takes no writes: coordination.redis.url must be the primary's, or coordination.redis.sentinels say who is`);
    }
    if (evicts !== undefined) {
      this.#options.log.warn({ where, policy: evicts }, 'Redis may throw away what the cluster keeps in it when its memory is used up: maxmemory-policy noeviction would be right');
    }
  }

  /** Tells what is to be told first, and only then lets others use the connection. */
  async #greet(connection: Connection, info: ServerInfo, isMove: boolean): Promise<void> {
    const finding = this.#server === undefined ? 'same' : findingOf(this.#server, info, isMove);
    this.#server = info;
    const { self, epoch, proofs } = this.#options;
    const line = new Line(connection, { base: this.#base, relay: self, epoch, session: ++this.#session }, {
      provesNewer: (record) => proofs.provesNewer(record),
      onUnknown: () => this.#events?.onUnknown(),
      onFenced: () => this.#events?.onFenced(),
      // What an earlier line still says is of no interest.
      onProblem: (text) => (this.#passage.line === undefined || this.#passage.line === line) && this.#setProblem(text),
    });
    let failure: unknown;
    await this.#events?.onConnected(line.run, finding).catch((error: unknown) => {
      failure = error;
      this.#options.log.debug({ error: errorMessage(error) }, 'the first beat on a new connection to Redis failed');
    });
    this.#passage.open(line, failure);
    if (failure === undefined) {
      this.#setProblem(undefined);
    }
  }

  #lost(why: unknown, where: string | undefined, signal: AbortSignal): void {
    const problem = where === undefined ? toError(why).message : storeProblem(why, where).text;
    this.#passage.close(problem);
    if (!signal.aborted) {
      this.#setProblem(problem);
    }
  }

  #setProblem(problem: string | undefined): void {
    if (problem === this.#problem) {
      return;
    }
    this.#problem = problem;
    this.#events?.onHealth(problem);
  }
}
