import { hash } from 'node:crypto';

/** RFC 6455, 1.3: it has no meaning but to be this one. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A browser sends its cookies as well; what other servers take. */
const MAX_HEAD_BYTES = 16 * 1024;

const VERSION = '13';
const END = Buffer.from('\r\n\r\n');
/** RFC 9110, 5.1 and 5.5: a token, and visible text. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{21}[AQgw]==$/;

/** Collects the head of an HTTP message, and no more than that. */
export class HeadReader {
  #got: Buffer = Buffer.alloc(0);

  /** The head's lines once it is whole, and where in `chunk` it ends. @throws Error when it is too long */
  read(chunk: Buffer, start: number, end: number): { lines: string[]; end: number } | undefined {
    const had = this.#got.length;
    this.#got = Buffer.concat([this.#got, chunk.subarray(start, Math.min(end, start + MAX_HEAD_BYTES))]);
    const at = this.#got.indexOf(END);
    if (at >= 0 && at + END.length <= MAX_HEAD_BYTES) {
      return { lines: this.#got.toString('latin1', 0, at).split('\r\n'), end: start + at + END.length - had };
    }
    if (this.#got.length >= MAX_HEAD_BYTES) {
      throw new HttpError('431 Request Header Fields Too Large');
    }
    return undefined;
  }
}

/** A request that is not for WebSocket; `status` is the answer. */
export class HttpError extends Error {
  readonly status: string;

  constructor(status: string) {
    super(`an HTTP request that is not one for WebSocket (answered ${status})`);
    this.name = 'HttpError';
    this.status = status;
  }
}

/** The answer that accepts the request (RFC 6455, 4.2). No sub-protocol and no extension is agreed on. @throws HttpError */
export function acceptUpgrade([request = '', ...lines]: readonly string[]): string {
  if (!/^GET \S+ HTTP\/1\.1$/.test(request)) {
    throw new HttpError('400 Bad Request');
  }
  const headers = readHeaders(lines);
  if (!has(headers, 'upgrade', 'websocket') || !has(headers, 'connection', 'upgrade')) {
    throw new HttpError('426 Upgrade Required');
  }
  if (headers.get('sec-websocket-version') !== VERSION) {
    throw new HttpError('426 Upgrade Required');
  }
  const key = headers.get('sec-websocket-key') ?? '';
  if (!KEY.test(key) || !headers.has('host')) {
    throw new HttpError('400 Bad Request');
  }
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answerTo(key)}\r\n\r\n`;
}

/** The whole answer to a request that is refused. */
export function refusal({ status }: HttpError): string {
  const text = 'This is a libp2p node: it speaks WebSocket.\n';
  return `HTTP/1.1 ${status}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${VERSION}\r\nConnection: Upgrade, close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

/** @param key 16 random bytes in base64 */
export function upgradeRequest(host: string, key: string): string {
  return `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: ${VERSION}\r\n\r\n`;
}

/** @throws Error when the answer does not accept the request that had `key` (RFC 6455, 4.1) */
export function checkAnswer([status = '', ...lines]: readonly string[], key: string): void {
  const code = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(status)?.[1];
  if (code !== '101') {
    throw new Error(`no WebSocket there: ${code === undefined ? 'the answer is not HTTP' : `the answer is HTTP ${code}`}`);
  }
  const headers = readHeaders(lines);
  const isRight = has(headers, 'upgrade', 'websocket') && has(headers, 'connection', 'upgrade') && headers.get('sec-websocket-accept') === answerTo(key);
  if (!isRight || headers.has('sec-websocket-extensions') || headers.has('sec-websocket-protocol')) {
    throw new Error('no WebSocket there: the answer is not to what was asked');
  }
}

function answerTo(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** By lower-case name; what comes twice is a list (RFC 9110, 5.2). @throws HttpError */
function readHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new HttpError('400 Bad Request');
    }
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function has(headers: ReadonlyMap<string, string>, name: string, word: string): boolean {
  return (headers.get(name) ?? '').split(',').some((item) => item.trim().toLowerCase() === word);
}
