import type { IncomingMessage, ServerResponse } from 'node:http';
import { RelaydError, errorMessage } from '../lib/errors.ts';

export interface Reply {
  status: number;
  body: string;
  headers: Record<string, string>;
  /** Runs once the answer has left, or its reader has: for what ends the process. */
  afterwards?: () => void;
  /** The answer does not end with `body`: whoever is handed the response writes on, and the asker ends it. */
  goesOn?: (response: ServerResponse) => void;
}

/** What a route is told of a request. */
export interface Call {
  path: string;
  query: URLSearchParams;
  /** Parsed JSON; `undefined` when none was sent. */
  body: unknown;
  /** The formats that the asker takes, as its `Accept` header says; empty without one. */
  accept: string;
  /** Fires when the asker goes away or the server stops. */
  signal: AbortSignal;
}

const MAX_BODY_BYTES = 64 * 1024;
/** A body that is too large is still read this far, so that its sender gets to read why. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return { status, body: JSON.stringify(value), headers: { 'content-type': 'application/json; charset=utf-8', ...headers } };
}

/** `{error: {code, message, …}}`, whatever was thrown. */
export function errorReply(error: unknown): Reply {
  if (!(error instanceof RelaydError)) {
    return json(500, { error: { code: 'INTERNAL', message: errorMessage(error) } });
  }
  const { allow, ...data } = error.data;
  const headers: Record<string, string> = {};
  if (typeof allow === 'string') headers['allow'] = allow;
  if (error.code === 'UNAUTHORIZED') headers['www-authenticate'] = 'Bearer';
  if (error.code === 'BODY_TOO_LARGE') headers['connection'] = 'close';
  return json(error.httpStatus, { error: { ...data, code: error.code, message: error.message } }, headers);
}

export function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (reply.afterwards !== undefined) {
    response.once('close', reply.afterwards);
  }
  const head = request.method === 'HEAD';
  if (reply.goesOn !== undefined && !head) {
    response.writeHead(reply.status, { ...COMMON_HEADERS, ...reply.headers });
    response.write(reply.body);
    reply.goesOn(response);
    return;
  }
  const length = Buffer.byteLength(reply.body);
  response.writeHead(reply.status, { ...COMMON_HEADERS, ...reply.headers, 'content-length': length });
  response.end(head ? undefined : reply.body);
}

/**
 * The JSON of a request's body; `undefined` for an empty one.
 * @throws RelaydError BODY_TOO_LARGE, BAD_REQUEST
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  if (text.trim() === '') {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RelaydError('BAD_REQUEST', `the body is not JSON: ${errorMessage(error)}`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    if (bytes > MAX_DISCARDED_BYTES) break;
  }
  if (bytes > MAX_BODY_BYTES) {
    throw new RelaydError('BODY_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES / 1024} KiB`, { data: { maximumBytes: MAX_BODY_BYTES } });
  }
  return Buffer.concat(chunks).toString('utf8');
}
