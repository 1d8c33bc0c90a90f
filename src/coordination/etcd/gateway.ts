import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { RenewedFiles } from '../renewed-files.ts';
import type { Credentials } from './credentials.ts';
import { Endpoint, NO_TOKEN } from './endpoint.ts';
import type { Question } from './endpoint.ts';
import { Endpoints } from './endpoints.ts';
import { QUESTION_MS, TRY_MS } from './limits.ts';
import { field, list } from './messages.ts';
import { EtcdRefusal, refusalIn } from './refusal.ts';
import { Tokens } from './tokens.ts';
import { checkVersion } from './version.ts';

/** What a look at the members may take, after a question has failed already. */
const LOOK_MS = 500;

export interface GatewayOptions {
  readonly urls: readonly string[];
  readonly credentials: Pick<RenewedFiles<Credentials>, 'current' | 'readAgain'>;
  /** For advice on missing rights. */
  readonly prefix: string;
  readonly clock: Clock;
}

/** A stream of answers, and where it comes from. */
export interface Stream {
  readonly endpoint: Endpoint;
  readonly response: IncomingMessage;
}

/**
 * Asks etcd's JSON gateway: at the endpoint that answered last, else at the next. All that is asked may be asked twice: what has been done once is not
 * done differently by doing it again.
 */
export class Gateway {
  readonly endpoints: Endpoints;
  readonly #o: GatewayOptions;
  readonly #tokens: Tokens;
  readonly #stopped = new AbortController();

  constructor(options: GatewayOptions) {
    this.#o = options;
    const { credentials } = options;
    this.endpoints = new Endpoints(options.urls.map((url) => new Endpoint(url, () => credentials.current.tls)));
    this.#tokens = new Tokens(() => credentials.current.user, (user, endpoint) => this.#authenticate(user, endpoint));
  }

  /**
   * @throws EtcdRefusal when etcd says that the lease is not there, RelaydError STORE_UNAVAILABLE for anything else, CLOSED when `signal` aborts
   */
  async ask(path: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    const parents = signal === undefined ? [this.#stopped.signal] : [this.#stopped.signal, signal];
    try {
      return await this.#tryEach(parents, (endpoint, part) => this.#askAs(endpoint, path, body, part));
    } catch (error) {
      if (parents.some((parent) => parent.aborted)) throw new RelaydError('CLOSED', 'the question to etcd was given up', { cause: error });
      throw error instanceof EtcdRefusal && error.isLeaseNotFound ? error : this.#unavailable(error);
    }
  }

  /**
   * Begins a stream of answers, which lives until `signal` aborts.
   *
   * @throws RelaydError STORE_UNAVAILABLE when none begins in time
   */
  async stream(path: string, body: unknown, signal: AbortSignal): Promise<Stream> {
    const parents = [this.#stopped.signal, signal];
    const begin = async (endpoint: Endpoint, part: AbortSignal): Promise<Stream> => {
      await this.#check(endpoint, part);
      const token = await this.#tokens.get(endpoint);
      return { endpoint, response: await endpoint.stream({ method: 'POST', path, body, token, signal: AbortSignal.any([part, signal]) }) };
    };
    try {
      return await this.#tryEach(parents, begin);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** The token that is used is not taken any more, as a stream has shown. */
  renewToken(): void {
    this.#tokens.isOver();
  }

  /** Why nothing works, as the members themselves see it; `undefined` when they see nothing wrong. Never throws. */
  async look(): Promise<string | undefined> {
    const told = await Promise.all(this.endpoints.inOrder.map((endpoint) => this.#lookAt(endpoint)));
    return told.find((text) => text !== undefined);
  }

  close(): void {
    this.#stopped.abort(new RelaydError('CLOSED', 'stopped'));
    this.endpoints.close();
  }

  /** @throws EtcdRefusal, Error that says what went wrong at each endpoint */
  async #tryEach<T>(parents: AbortSignal[], work: (endpoint: Endpoint, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock } = this.#o;
    const failures: string[] = [];
    let leftMs = QUESTION_MS;
    for (const [i, endpoint] of this.endpoints.inOrder.entries()) {
      const isLast = i === this.endpoints.inOrder.length - 1;
      const begunAt = clock.now();
      try {
        return await withDeadline(isLast ? leftMs : Math.min(TRY_MS, leftMs), clock, parents, (signal) => work(endpoint, signal));
      } catch (error) {
        if (parents.some((parent) => parent.aborted)) throw error;
        this.#o.credentials.readAgain();
        if (error instanceof EtcdRefusal && !error.isPassing) throw error;
        this.endpoints.failed(endpoint);
        failures.push(`${endpoint.url}: ${reasonOf(endpoint, error)}`);
      }
      leftMs -= Math.round(clock.now() - begunAt);
      if (leftMs <= 0) break;
    }
    // Whichever was tried first, the text is the same.
    throw new Error(failures.sort().join('; '));
  }

  /** With a token, and once more with a new one when that is over. */
  async #askAs(endpoint: Endpoint, path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    await this.#check(endpoint, signal);
    const token = await this.#tokens.get(endpoint);
    try {
      return await answerOf(endpoint, { method: 'POST', path, body, token, signal });
    } catch (error) {
      if (token === undefined || !(error instanceof EtcdRefusal) || !error.isTokenOver) throw error;
      this.#tokens.isOver(token);
      return await answerOf(endpoint, { method: 'POST', path, body, token: await this.#tokens.get(endpoint), signal });
    }
  }

  async #authenticate(user: NonNullable<Credentials['user']>, endpoint: Endpoint): Promise<string> {
    const question = { method: 'POST', path: '/v3/auth/authenticate', body: user, token: undefined } as const;
    try {
      const answer = await withDeadline(QUESTION_MS, this.#o.clock, [this.#stopped.signal], (signal) => answerOf(endpoint, { ...question, signal }));
      return String(field(answer, 'token'));
    } catch (error) {
      // As etcd's own client does: so users can be configured here first and demanded there afterwards, with no time in between when nothing works.
      if (error instanceof EtcdRefusal && error.isWithoutUsers) return NO_TOKEN;
      throw error;
    }
  }

  async #check(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    if (endpoint.isChecked) return;
    const { status, text } = await endpoint.ask({ method: 'GET', path: '/version', body: undefined, token: undefined, signal });
    checkVersion(status, text);
    endpoint.isChecked = true;
  }

  async #lookAt(endpoint: Endpoint): Promise<string | undefined> {
    const ask = (signal: AbortSignal): Promise<unknown> => answerOf(endpoint, { method: 'POST', path: '/v3/maintenance/status', body: {}, token: undefined, signal });
    try {
      const status = await withDeadline(LOOK_MS, this.#o.clock, [this.#stopped.signal], ask);
      const isLeaderless = list(field(status, 'errors')).some((text) => String(text).includes('no leader'));
      return isLeaderless ? `etcd has no leader: no quorum of its members is there (${endpoint.url} says so)` : undefined;
    } catch {
      return undefined;
    }
  }

  #unavailable(cause: unknown): RelaydError {
    if (cause instanceof RelaydError && cause.code === 'STORE_UNAVAILABLE') return cause;
    return cause instanceof EtcdRefusal ? new RelaydError('STORE_UNAVAILABLE', 'etcd refuses', { cause: cause.withAdvice(this.#o.prefix) }) : new RelaydError('STORE_UNAVAILABLE', 'etcd does not answer', { cause });
  }
}

/** What went wrong, for a person: OpenSSL's own texts have lines of code in them, and a server that wants TLS just hangs up. */
function reasonOf({ url }: Endpoint, error: unknown): string {
  const { reason } = error as { reason?: unknown };
  if (typeof reason === 'string') return `TLS: ${reason}`;
  const text = errorMessage(error);
  return text === 'socket hang up' && url.startsWith('http:') ? 'it hangs up (does it want https?)' : peerText(text);
}

/** @throws EtcdRefusal, Error of the connection */
async function answerOf(endpoint: Endpoint, question: Question): Promise<unknown> {
  const { status, text } = await endpoint.ask(question);
  const answer = parse(text, status);
  const refusal = refusalIn(answer);
  if (refusal !== undefined) throw refusal;
  return answer;
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`no answer of etcd's (HTTP ${status}): ${peerText(text)}`);
  }
}
