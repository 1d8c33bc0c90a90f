import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server on loopback with one page, which no other program could have made up. */
export interface Service {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly page: string;
  /** How many requests it has answered. */
  readonly requests: number;
  stop(): void;
}

const HOST = '127.0.0.1';

export async function startService(): Promise<Service> {
  const page = `<!doctype html><title>relayd</title><p>Hello from behind client A. ${randomUUID()}</p>\n`;
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: HOST,
    port,
    url: `http://${HOST}:${port}/`,
    page,
    get requests() {
      return requests;
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
