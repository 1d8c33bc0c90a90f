import type { Tick } from '../sampling.ts';
import { ApiError, request } from './api.ts';
import { EventReader } from './reading.ts';

export interface Listener {
  onTick(tick: Tick): void;
  onLive(): void;
  /** The stream is gone; it is tried again in `retryMs`. */
  onLost(problem: string, retryMs: number): void;
  /** Nothing is tried again until {@link Events.restart}. */
  onTokenNeeded(): void;
}

/** The daemon tells something every two seconds: after this long without a word the connection is dead, whatever TCP thinks. */
const SILENCE_MS = 10_000;
const RETRY_MS = { first: 1_000, most: 15_000 };

/** What the daemon tells, for as long as the page is open. By fetch, because an EventSource cannot carry a token. */
export class Events {
  readonly #listener: Listener;
  #attempt = new AbortController();
  #failures = 0;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  restart(): void {
    this.#attempt.abort();
    this.#attempt = new AbortController();
    void this.#run(this.#attempt.signal);
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      const problem = await this.#listen(stopped).then(() => 'the daemon ended the connection', (error: unknown) => error);
      if (stopped.aborted) return;
      if (problem instanceof ApiError && problem.status === 401) {
        this.#listener.onTokenNeeded();
        return;
      }
      const retryMs = this.#nextRetryMs();
      this.#listener.onLost(problem instanceof ApiError ? problem.message : 'no answer from the daemon', retryMs);
      await waited(retryMs, stopped);
    }
  }

  /** Resolves when the stream ends, rejects when it breaks. */
  async #listen(stopped: AbortSignal): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const response = await request('events', { signal: AbortSignal.any([stopped, silence.signal]) });
      const reader = new EventReader();
      for await (const piece of piecesOf(response)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#heard(reader.read(piece));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #heard(events: ReturnType<EventReader['read']>): void {
    this.#failures = 0;
    this.#listener.onLive();
    // A tab that slept gets a heap of them at once: the newest says it all, and the plots are asked for anew.
    const latest = events.findLast(({ event }) => event === 'tick');
    if (latest !== undefined) this.#listener.onTick(JSON.parse(latest.data) as Tick);
  }

  /** Doubles, with some chance in it: the pages of a relay that comes back do not all ask in the same moment. */
  #nextRetryMs(): number {
    const most = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** this.#failures++);
    return most / 2 + (Math.random() * most) / 2;
  }
}

async function* piecesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    yield read.value;
  }
}

function waited(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopped.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
