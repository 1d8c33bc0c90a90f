import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { HostPort } from '../../config/domain.ts';
import type { InvitedTunnel } from '../../realm/invitation.ts';

/** Ports below this need root on most systems. */
const FIRST_FREE_PORT = 1024;

/** Where a service whose port is one of those is looked for by habit. */
const HABITUAL: Readonly<Record<number, number>> = { 22: 2222, 80: 8080, 443: 8443 };

const SSH_PORT = 22;

const LOCALHOST = '127.0.0.1';

/** Where a guest finds a service: on this machine only, on its own port if that is free. */
export async function localPort({ name, port }: InvitedTunnel): Promise<HostPort> {
  const wanted = habitual(name === 'ssh' ? SSH_PORT : (port ?? 0));
  return { host: LOCALHOST, port: (await tryPort(wanted)) ?? (await tryPort(0)) ?? 0 };
}

function habitual(port: number): number {
  return port < FIRST_FREE_PORT ? (HABITUAL[port] ?? 0) : port;
}

/** The port, `undefined` when another program has it; of 0 a free one. */
async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen({ host: LOCALHOST, port, exclusive: true });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}
