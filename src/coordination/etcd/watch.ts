import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { deadline, sleep } from '../../lib/deadline.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { peerText } from '../../lib/logger.ts';
import type { EtcdClient } from './client.ts';
import type { Endpoint } from './endpoint.ts';
import type { Gateway, Stream } from './gateway.ts';
import type { Health } from './health.ts';
import { JsonLines } from './json-lines.ts';
import type { KeyRange } from './keys.ts';
import { MAX_MESSAGE_BYTES, QUESTION_MS } from './limits.ts';
import { field, readWatch, watchRequest } from './messages.ts';
import type { Entry, WatchEvent, WatchMessage } from './messages.ts';
import { refusalIn } from './refusal.ts';

/** Between attempts: each twice the one before, so that a store that comes back is found within a second. */
const RETRY_MS = { first: 50, longest: 1_000 };
/** Failures on end after which the watch, and not one endpoint, is the problem. */
const PROBLEM_AFTER = 3;
/** What this relay has written itself must come back by then: else what it watches is cut off from the majority, or frozen. */
const ECHO_MS = 1_000;

export interface WatchOptions {
  readonly range: KeyRange;
  readonly gateway: Gateway;
  readonly client: EtcdClient;
  readonly health: Health;
  readonly clock: Clock;
  readonly log: Logger;
  /** All that is there now: at first, and when events have been missed. */
  readonly onAll: (entries: readonly Entry[]) => void;
  readonly onEvent: (event: WatchEvent) => void;
}

/** Follows a range of keys without a gap: resumes from the revision that it has seen, and reads all anew when history has been compacted since. */
export class Watch {
  readonly #o: WatchOptions;
  #stop: AbortController | undefined;
  #running: Promise<void> | undefined;
  /** The first revision that has not been seen; `undefined`: all is to be read. */
  #next: number | undefined;
  #connection: { readonly end: AbortController; readonly endpoint: Endpoint } | undefined;
  #failures = 0;
  #echo: { readonly revision: number; readonly timer: TimerHandle } | undefined;
  #unlisten = (): void => {};

  constructor(options: WatchOptions) {
    this.#o = options;
  }

  start(): void {
    this.#stop = new AbortController();
    this.#next = undefined;
    this.#failures = 0;
    const { endpoints } = this.#o.gateway;
    this.#unlisten = endpoints.onFailed((endpoint) => this.#endIfAt(endpoint));
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#unlisten();
    this.#stop?.abort(new RelaydError('CLOSED', 'stopped'));
    this.#forgetEcho();
    await this.#running;
  }

  /** What has been seen may be another store's: all is to be read. */
  readAnew(): void {
    this.#next = undefined;
    this.#connection?.end.abort(new Error('the store is another one'));
  }

  /** This relay has just written in the range, at `revision`. */
  expect(revision: number): void {
    if (this.#echo !== undefined || this.#connection === undefined || (this.#next ?? 0) > revision) return;
    this.#echo = { revision, timer: this.#o.clock.setTimer(() => this.#echoMissed(), ECHO_MS) };
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const { clock, log, health } = this.#o;
    while (!stopped.aborted) {
      try {
        await this.#follow(stopped);
      } catch (error) {
        if (stopped.aborted) return;
        this.#failures++;
        log.debug({ error: peerText(errorMessage(error)) }, 'the watch on etcd was interrupted');
        if (this.#failures >= PROBLEM_AFTER) health.watchFails(`changes in etcd cannot be followed: ${errorMessage(error)}`);
        await sleep(Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** (this.#failures - 1)), clock, stopped);
      }
    }
  }

  /** @throws Error always: a watch has no good end */
  async #follow(stopped: AbortSignal): Promise<never> {
    this.#next ??= await this.#readAll(stopped);
    const end = new AbortController();
    const signal = AbortSignal.any([stopped, end.signal]);
    const { range, gateway } = this.#o;
    const { endpoint, response } = await gateway.stream('/v3/watch', watchRequest(range, this.#next), signal);
    this.#connection = { end, endpoint };
    try {
      await this.#readStream({ endpoint, response }, end);
      throw new Error('etcd has ended it');
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#connection = undefined;
      this.#forgetEcho();
      end.abort();
    }
  }

  async #readAll(stopped: AbortSignal): Promise<number> {
    const { client, range, onAll } = this.#o;
    const { header, entries } = await client.range(range, stopped);
    onAll(entries);
    return header.revision + 1;
  }

  async #readStream({ endpoint, response }: Stream, end: AbortController): Promise<void> {
    const lines = new JsonLines(MAX_MESSAGE_BYTES);
    // The connection stands, but a member that is frozen now says nothing more.
    const limit = deadline(QUESTION_MS, this.#o.clock);
    limit.signal.addEventListener('abort', () => this.#endBecause(end, endpoint, 'it did not begin in time'));
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        for (const line of lines.push(chunk)) {
          this.#take(line);
          limit.clear();
        }
      }
    } finally {
      limit.clear();
    }
  }

  #take(line: unknown): void {
    const refusal = refusalIn(line);
    if (refusal !== undefined) throw refusal;
    const message = readWatch(field(line, 'result'));
    if (message.compactRevision !== undefined) this.#compacted(message.compactRevision);
    if (message.canceled !== undefined) {
      // A token that is over looks as a right that is missing does.
      this.#o.gateway.renewToken();
      throw new Error(`etcd has canceled it: ${peerText(message.canceled)}`);
    }
    if (message.created) this.#o.health.watchWorks();
    this.#takeEvents(message);
  }

  /** @throws Error: it goes on with a new one */
  #compacted(revision: number): never {
    this.#o.log.info({ from: this.#next, compacted: revision }, 'etcd has compacted changes that were not seen yet: all is read anew');
    this.#next = undefined;
    throw new Error('etcd has compacted what was to be followed');
  }

  #takeEvents({ events, isFragment }: WatchMessage): void {
    events.forEach((event) => this.#o.onEvent(event));
    const last = events.at(-1);
    if (last === undefined) return;
    this.#failures = 0;
    // Half a revision is not seen: after a break, all of it comes again.
    if (!isFragment) this.#next = last.entry.modRevision + 1;
    if (this.#echo !== undefined && this.#echo.revision < (this.#next ?? 0)) this.#forgetEcho();
  }

  #echoMissed(): void {
    this.#echo = undefined;
    const { end, endpoint } = this.#connection ?? {};
    if (end !== undefined && endpoint !== undefined) this.#endBecause(end, endpoint, 'what this relay wrote did not come back in time');
  }

  #endBecause(end: AbortController, endpoint: Endpoint, why: string): void {
    end.abort(new Error(`${endpoint.url}: ${why}`));
    this.#o.gateway.endpoints.failed(endpoint);
  }

  /** Questions found it wanting; where there is another, the watch goes there. */
  #endIfAt(endpoint: Endpoint): void {
    const isOnly = this.#o.gateway.endpoints.inOrder.length === 1;
    if (!isOnly && this.#connection?.endpoint === endpoint) this.#connection.end.abort(new Error(`${endpoint.url}: it does not answer`));
  }

  #forgetEcho(): void {
    this.#echo?.timer.cancel();
    this.#echo = undefined;
  }
}
