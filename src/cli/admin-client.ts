import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ERROR_CODES, errorMessage, RelaydError } from '../lib/errors.ts';
import type { ErrorCode } from '../lib/errors.ts';

/** A running daemon: where it is, and how we came to know. */
export interface DaemonAddress {
  /** `http://host:port` or `unix:/absolute/path`. */
  url: string;
  token: string | undefined;
  /** For messages: `--admin`, or the file that named it and what that says of the process. */
  from: string;
}

export interface AskOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Statuses of 400 and above that are answers all the same. */
  expected?: readonly number[];
}

const TIMEOUT_MS = 15_000;
/** 10,000 reservations are about 3 MB. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Asks a daemon's admin server. One connection a request: a command asks seldom, and must not keep the process up. */
export class AdminClient {
  readonly #address: DaemonAddress;

  constructor(address: DaemonAddress) {
    this.#address = address;
  }

  get url(): string {
    return this.#address.url;
  }

  /** @throws RelaydError DAEMON_UNREACHABLE, or what the daemon answers */
  get(path: string, options: AskOptions = {}): Promise<string> {
    return this.#ask('GET', path, undefined, options);
  }

  /** @throws RelaydError DAEMON_UNREACHABLE, or what the daemon answers */
  post(path: string, body: unknown, options: AskOptions = {}): Promise<string> {
    return this.#ask('POST', path, body === undefined ? '' : JSON.stringify(body), options);
  }

  async #ask(method: string, path: string, body: string | undefined, { signal, timeoutMs = TIMEOUT_MS, expected = [] }: AskOptions): Promise<string> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const signals = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    let answer: { status: number; text: string };
    try {
      answer = await exchange(this.#target(path), method, this.#headers(body), body, signals);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unreachable(deadline.aborted ? `no answer within ${timeoutMs / 1000} s` : errorMessage(error), error);
    }
    if (answer.status >= 400 && !expected.includes(answer.status)) {
      throw this.#refused(answer);
    }
    return answer.text;
  }

  #target(path: string): RequestOptions {
    const { url } = this.#address;
    if (url.startsWith('unix:')) {
      return { socketPath: url.slice('unix:'.length), path, host: 'localhost' };
    }
    const { protocol, hostname, port, pathname } = new URL(url);
    return { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: `${pathname.replace(/\/$/, '')}${path}` };
  }

  #headers(body: string | undefined): Record<string, string> {
    return {
      accept: 'application/json',
      ...(this.#address.token === undefined ? {} : { authorization: `Bearer ${this.#address.token}` }),
      ...(body === undefined || body === '' ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    };
  }

  #unreachable(reason: string, cause: unknown): RelaydError {
    const { url, from } = this.#address;
    const help = 'is it running? "relayd run" starts it; --config F or --admin URL names another';
    return new RelaydError('DAEMON_UNREACHABLE', `no daemon answers at ${url} (${from}): ${reason}; ${help}`, { cause });
  }

  /** The daemon's own error as if it had been raised here, so that its code decides the exit code. */
  #refused({ status, text }: { status: number; text: string }): RelaydError {
    const { code, message, ...data } = errorOf(text);
    if (typeof message !== 'string' || typeof code !== 'string' || !Object.hasOwn(ERROR_CODES, code)) {
      return new RelaydError('DAEMON_UNREACHABLE', `what answers at ${this.#address.url} (${this.#address.from}) is not relayd: HTTP ${status}; --admin URL names the right one`);
    }
    return new RelaydError(code as ErrorCode, message, { data });
  }
}

function errorOf(text: string): Record<string, unknown> {
  try {
    const { error } = JSON.parse(text) as { error?: Record<string, unknown> };
    return error ?? {};
  } catch {
    return {};
  }
}

function exchange(target: RequestOptions, method: string, headers: Record<string, string>, body: string | undefined, signal: AbortSignal): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({ ...target, method, headers, signal, agent: false }, (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
