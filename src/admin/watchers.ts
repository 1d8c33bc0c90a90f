import type { ServerResponse } from 'node:http';
import { RelaydError } from '../lib/errors.ts';
import type { Reply } from './http.ts';

/** Status pages that are open at the same time; each costs a connection and one write every two seconds. */
const MAX_WATCHERS = 64;
/** Events that a reader may be behind before it is let go: twenty seconds. What it has not read is held once, not once for each event. */
const MAX_MISSED = 10;
/** How long a page that lost us waits, unless it knows better. */
const RETRY_MS = 2_000;

interface Watcher {
  readonly response: ServerResponse;
  missed: number;
}

/** Those who read `/api/v1/events`: server-sent events, one text for all. */
export class Watchers {
  readonly #open = new Set<Watcher>();
  #latest = '';

  get count(): number {
    return this.#open.size;
  }

  /** The answer that does not end: what was told last, then whatever is told from now on. @throws RelaydError BUSY */
  reply(): Reply {
    if (this.#open.size >= MAX_WATCHERS) {
      throw new RelaydError('BUSY', `${MAX_WATCHERS} status pages are open already: close one`);
    }
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
      body: `retry: ${RETRY_MS}\n\n${this.#latest}`,
      goesOn: (response) => this.#add(response),
    };
  }

  /** `data` must be one line. */
  tell(event: string, data: string): void {
    this.#latest = `event: ${event}\ndata: ${data}\n\n`;
    this.#write(this.#latest);
  }

  /** For the time in which there is nothing to tell: who reads sees that we are there. */
  beat(): void {
    this.#write(': nothing new\n\n');
  }

  /** What was told before a stop is not told after the next start. */
  stop(): void {
    for (const { response } of this.#open) response.destroy();
    this.#latest = '';
  }

  #add(response: ServerResponse): void {
    const watcher = { response, missed: 0 };
    this.#open.add(watcher);
    response.once('close', () => this.#open.delete(watcher));
  }

  #write(text: string): void {
    for (const watcher of this.#open) {
      if (!watcher.response.writableNeedDrain) {
        watcher.missed = 0;
        watcher.response.write(text);
      } else if (++watcher.missed >= MAX_MISSED) {
        watcher.response.destroy();
      }
    }
  }
}
