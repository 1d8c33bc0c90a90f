import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { once } from 'node:events';
import { toError } from '../../lib/errors.ts';
import type { StoreTls } from '../store-files.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';

/** Questions that are under way at one endpoint at once; more wait, under their own deadlines. */
const MAX_SOCKETS = 32;
/** Connections that are kept for the next questions. */
const MAX_IDLE_SOCKETS = 4;

/** For a user where etcd asks for none. */
export const NO_TOKEN = '';

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: unknown;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** One address of etcd, and the connections to it. */
export class Endpoint {
  readonly url: string;
  /** What speaks here is an etcd of a version that can be used. */
  isChecked = false;
  readonly #base: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #tls: () => StoreTls;

  /** @param tls asked at each question: the agent keeps connections with other certificates apart */
  constructor(url: string, tls: () => StoreTls) {
    this.url = url;
    this.#tls = tls;
    this.#base = new URL(url);
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_IDLE_SOCKETS };
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** The whole answer. @throws Error of the connection, RangeError when the answer is too long */
  async ask(question: Question): Promise<{ status: number; text: string }> {
    const response = await this.#send(question);
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  }

  /** The answer as it comes, until the signal aborts. */
  async stream(question: Question): Promise<IncomingMessage> {
    return await this.#send(question);
  }

  /** After a silence: what was idle may be dead too, and each would cost a deadline of its own. */
  dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) sockets?.forEach((socket) => socket.destroy());
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(question: Question): Promise<IncomingMessage> {
    const request = this.#begin(question);
    // What goes wrong after the answer has begun is told by the answer.
    request.on('error', () => {});
    request.end(question.body === undefined ? undefined : JSON.stringify(question.body));
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    } catch (error) {
      question.signal.throwIfAborted();
      if (request.reusedSocket && isReset(error)) return this.#send(question);
      throw error;
    }
  }

  #begin({ method, path, token, signal }: Question): ClientRequest {
    const headers = { 'content-type': 'application/json', ...(token === undefined || token === NO_TOKEN ? {} : { authorization: token }) };
    const options = { method, agent: this.#agent, headers, signal };
    const url = new URL(path, this.#base);
    return this.#base.protocol === 'https:' ? httpsRequest(url, { ...options, ...this.#tls() }) : httpRequest(url, options);
  }
}

/** The server had closed the connection while it was idle: nothing of the question was read. */
function isReset(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_MESSAGE_BYTES) throw toError(new RangeError(`its answer has more than ${MAX_MESSAGE_BYTES} bytes`));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
