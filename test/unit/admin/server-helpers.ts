import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { AdminServer } from '../../../src/admin/index.ts';
import type { AdminServerOptions } from '../../../src/admin/index.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { FakeView } from './fake-view.ts';

export const TOKEN = 'a-token-of-the-test-0123456789';

export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export interface TestServer {
  server: AdminServer;
  view: FakeView;
  dataDir: string;
  url: string;
}

/** An admin server on a port of its own, stopped when the test ends. */
export async function startServer(t: TestContext, options: Partial<Omit<AdminServerOptions, 'view'>> & { view?: FakeView } = {}): Promise<TestServer> {
  const { view = new FakeView() } = options;
  const dataDir = options.dataDir ?? (await tempDir(t));
  const server = new AdminServer({ config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile: undefined }, token: TOKEN, log: silentLogger, view, ...options, dataDir });
  await server.start();
  t.after(() => server.stop());
  return { server, view, dataDir, url: server.url };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Parsed, where it is JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- assertions are its type check
  json: any;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** One request on a connection of its own, with whatever headers the test wants. */
export function ask(url: string, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  const target = url.startsWith('unix:') ? { socketPath: url.slice(5) } : { host: new URL(url).hostname.replace(/^\[|\]$/g, ''), port: new URL(url).port };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...target, path, method, headers: body === undefined ? headers : { 'content-length': String(Buffer.byteLength(body)), ...headers }, agent: false }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) }));
    });
    request.once('error', reject);
    request.end(body);
  });
}

export function post(url: string, path: string, body?: unknown, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }): Promise<Answer> {
  return ask(url, path, { method: 'POST', headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
