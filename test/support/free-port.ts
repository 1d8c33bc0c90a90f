import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Below are those that services of the machine have. */
const LOWEST = 10_000;
/** Where the system's own begin that sockets get which ask for none; on Linux, unless it has been told otherwise. */
const FIRST_EPHEMERAL = firstEphemeral() ?? 32_768;
/** Of twenty thousand hardly any is taken. */
const ATTEMPTS = 20;

/**
 * A TCP port of loopback that nobody uses now: for programs that cannot say which one they took, and for those that come back on the same one. It is none of those that the
 * system gives to sockets which ask for none: such a one may be given to another program while nobody listens on it.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const server = createServer().listen(LOWEST + Math.floor(Math.random() * (FIRST_EPHEMERAL - LOWEST)), '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      continue;
    }
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

function firstEphemeral(): number | undefined {
  try {
    const first = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')[0]);
    return first > LOWEST + 1_000 ? first : undefined;
  } catch {
    return undefined; // Not Linux.
  }
}
