import { createServer, maxHeaderSize } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AdminConfig } from '../config/domain.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { NodeView } from '../lib/contracts.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { removeAdminFile, tryWriteAdminFile } from './admin-file.ts';
import type { AdminFile } from './admin-file.ts';
import { ASSETS_PATH } from './assets.ts';
import { bearerToken, Guard } from './guard.ts';
import { errorReply, readJson, send } from './http.ts';
import type { Reply } from './http.ts';
import { bindTcp, bindUnix } from './listen.ts';
import type { Bound } from './listen.ts';
import { Readiness } from './readiness.ts';
import { findHandler } from './router.ts';
import type { Routes } from './router.ts';
import { createRoutes, LIVENESS_PATH, STATUS_PAGE_PATH } from './routes.ts';
import { Sampling } from './sampling.ts';
import { Scrapes } from './scrapes.ts';
import { statusPageReply } from './status-page.ts';
import { randomToken, readTokenFile } from './token.ts';

export interface AdminServerOptions {
  config: AdminConfig;
  dataDir: string;
  /** In place of a random one; without a token file, only what changes something asks for it. */
  token?: string;
  log: Logger;
  view: NodeView;
  clock?: Clock;
}

/**
 * Operators, scrapers, the health checks of a whole cluster of load balancers, and their keep-alive connections; more than this is a leak or a flood. A
 * connection costs a descriptor and some 10 KiB, and the work for all that ask for readiness at once is done once.
 */
const MAX_CONNECTIONS = 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
/** While the disk is full, admin.json is tried this often. */
const RETRY_FILE_MS = 30_000;
/** How long a client that sent garbage may take to read that it did. */
const LAST_WORD_MS = 500;

/** The admin HTTP server: health, metrics, the API and the status page of one running node. */
export class AdminServer implements Part {
  readonly name = 'admin';
  readonly #options: AdminServerOptions;
  readonly #readiness: Readiness;
  readonly #sampling: Sampling;
  readonly #routes: Routes;
  readonly #clock: Clock;
  #nextTry: TimerHandle | undefined;
  #running: { server: Server; guard: Guard; file: AdminFile; stop: AbortController } | undefined;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#readiness = new Readiness(options.view, this.#clock);
    this.#sampling = new Sampling({ view: options.view, clock: this.#clock, log: options.log });
    this.#routes = createRoutes({ view: options.view, readiness: this.#readiness, sampling: this.#sampling, scrapes: new Scrapes(this.#clock), log: options.log });
  }

  /** `http://host:port` with the real port, or `unix:/path`; empty while it is stopped. */
  get url(): string {
    return this.#running?.file.url ?? '';
  }

  /** @throws RelaydError CONFIG_INVALID, FILE_UNREADABLE, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, DATA_DIR_UNWRITABLE */
  async start(): Promise<void> {
    const { config } = this.#options;
    const token = config.tokenFile === undefined ? (this.#options.token ?? randomToken()) : await readTokenFile(config.tokenFile);
    const server = this.#createServer();
    const { url, reach } = await this.#bind(server);
    const file = { url, token, pid: process.pid };
    const guard = new Guard({ token, readingNeedsToken: config.tokenFile !== undefined, hosts: reach === 'loopback' ? this.#ownHosts() : undefined });
    this.#running = { server, guard, file, stop: new AbortController() };
    this.#sampling.start();
    try {
      await this.#announce(file);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Every connection is closed at once, whatever it is doing. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) {
      return;
    }
    this.#running = undefined;
    this.#nextTry?.cancel();
    running.stop.abort(new RelaydError('CLOSED', 'the daemon stops'));
    this.#readiness.stop();
    this.#sampling.stop();
    const closed = new Promise<void>((resolve) => running.server.close(() => resolve()));
    running.server.closeAllConnections();
    await closed;
    await removeAdminFile(this.#options.dataDir, running.file);
  }

  /** Tells the commands of this machine where we are. A disk that is full is no reason not to serve: it is tried again until there is room. */
  async #announce(file: AdminFile, isFirst = true): Promise<void> {
    const { dataDir, log } = this.#options;
    const problem = await tryWriteAdminFile(dataDir, file);
    if (this.#running?.file !== file) {
      await removeAdminFile(dataDir, file); // Stopped meanwhile.
    } else if (problem === undefined) {
      if (!isFirst) log.info({ event: 'admin-file-written' }, 'admin.json is written: commands find the daemon again');
    } else {
      if (isFirst) log.warn({ event: 'admin-file-missing', error: problem }, 'the disk is full: without admin.json commands need --admin URL, and --token-file for what changes something');
      this.#nextTry = this.#clock.setTimer(() => this.#announceAgain(file), RETRY_FILE_MS);
    }
  }

  #announceAgain(file: AdminFile): void {
    this.#announce(file, false).catch((error: unknown) => this.#options.log.warn({ error: errorMessage(error) }, 'admin.json is not tried again'));
  }

  #createServer(): Server {
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('clientError', refuseGarbage);
    return server;
  }

  #bind(server: Server): Promise<Bound> {
    const { listen, tokenFile } = this.#options.config;
    return 'socketPath' in listen ? bindUnix(server, listen.socketPath) : bindTcp(server, listen, tokenFile !== undefined);
  }

  /** The name that the operator binds is as good as localhost. */
  #ownHosts(): string[] {
    const { listen } = this.#options.config;
    return 'host' in listen ? [listen.host.toLowerCase()] : [];
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', (error) => this.#options.log.debug({ error: errorMessage(error) }, 'an answer of the admin server was not delivered'));
    const running = this.#running;
    if (running === undefined) {
      request.destroy();
      return;
    }
    const reply = await this.#answer(request, response, running).catch((error: unknown) => this.#failed(request, error));
    if (!response.destroyed) send(request, response, reply);
    else reply.afterwards?.();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, { guard, stop }: { guard: Guard; stop: AbortController }): Promise<Reply> {
    const { path, query } = splitUrl(request.url ?? '');
    guard.checkSite(request);
    const refused = await authorise(guard, request, path, query);
    if (refused !== undefined) {
      return refused;
    }
    const handler = findHandler(this.#routes, request.method ?? '', path);
    const posting = request.method === 'POST';
    if (posting && !guard.readingNeedsToken) {
      guard.checkToken(bearerToken(request));
    }
    const body = posting ? await readJson(request) : undefined;
    const gone = new AbortController();
    response.once('close', () => gone.abort(new RelaydError('CLOSED', 'the asker went away')));
    return handler({ path, query, body, accept: request.headers.accept ?? '', signal: AbortSignal.any([gone.signal, stop.signal]) });
  }

  #failed(request: IncomingMessage, error: unknown): Reply {
    const reply = errorReply(error);
    const facts = { method: request.method, path: splitUrl(request.url ?? '').path, status: reply.status, error: errorMessage(error) };
    if (error instanceof RelaydError) this.#options.log.debug(facts, 'the admin server refused a request');
    else this.#options.log.error(facts, 'the admin server failed to answer a request');
    return reply;
  }
}

/**
 * With a token file everything but the liveness check and the page's own files asks for the token. The status page may carry it as `?token=`; without
 * it a browser gets the empty page, which asks for the token itself, and anyone else gets the error.
 */
async function authorise(guard: Guard, request: IncomingMessage, path: string, query: URLSearchParams): Promise<Reply | undefined> {
  if (!guard.readingNeedsToken || path === LIVENESS_PATH || path.startsWith(ASSETS_PATH)) {
    return undefined;
  }
  const page = path === STATUS_PAGE_PATH && (request.method === 'GET' || request.method === 'HEAD');
  try {
    guard.checkToken(bearerToken(request) ?? (page ? pageToken(query) : undefined));
    return undefined;
  } catch (error) {
    if (page && request.headers.accept?.includes('text/html')) {
      return statusPageReply(401);
    }
    throw error;
  }
}

/** A `+` of a token that was pasted into the address bar as it is arrives as a space; tokens have no spaces. */
function pageToken(query: URLSearchParams): string | undefined {
  return query.get('token')?.replaceAll(' ', '+');
}

function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: new URLSearchParams() } : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

/** What is not HTTP never becomes a request; the socket is all there is. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, problem] = error.code === 'HPE_HEADER_OVERFLOW' ? ['431 Request Header Fields Too Large', `the headers are larger than ${maxHeaderSize / 1024} KiB`] : ['400 Bad Request', 'this is not an HTTP/1.1 request'];
  const { body } = errorReply(new RelaydError('BAD_REQUEST', problem));
  socket.end(`HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  // A client that never closes its side would keep its place among the connections.
  setTimeout(() => socket.destroy(), LAST_WORD_MS).unref();
}
