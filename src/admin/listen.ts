import { lookup } from 'node:dns/promises';
import { chmod, lstat, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, isIPv6 } from 'node:net';
import type { AddressInfo } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { HostPort } from '../config/domain.ts';
import { parseIp } from '../lib/addresses.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';

export interface Bound {
  /** Where a program of this machine finds it: `http://host:port`, real port, or `unix:/path`. */
  url: string;
  reach: 'unix' | 'loopback' | 'public';
}

const KEY = 'admin.listen';
/** What `sun_path` holds on Linux, without its closing zero; macOS has four bytes less and says so itself. */
const MAX_SOCKET_PATH_BYTES = 107;
/** A live owner of a unix socket takes a connection at once; this is only for a frozen one. */
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Binds a TCP address; `mayBePublic` says whether it may be one that other machines reach.
 * @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, CONFIG_INVALID, each with `data.key`
 */
export async function bindTcp(server: Server, { host, port }: HostPort, mayBePublic: boolean): Promise<Bound> {
  const address = await resolveHost(host);
  const reach = parseIp(address)?.range() === 'loopback' ? 'loopback' : 'public';
  if (reach === 'public' && !mayBePublic) {
    throw new RelaydError('CONFIG_INVALID', `${KEY}: other machines can reach ${hostPort(host, port)}; set admin.tokenFile, or listen on 127.0.0.1 or unix:/path`, { data: { key: KEY } });
  }
  await listening(server, () => server.listen({ host: address, port, exclusive: true }), hostPort(host, port));
  return { url: `http://${hostPort(reachable(address), (server.address() as AddressInfo).port)}`, reach };
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new RelaydError('ADDRESS_UNAVAILABLE', `${KEY}: the name ${host} has no address here: ${errorMessage(error)}`, { cause: error, data: { key: KEY } });
  }
}

/** Nobody connects to "every address"; loopback is one of them. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

function hostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Binds a unix socket of mode 0600. A socket that nobody listens on any more is removed first.
 * @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE
 */
export async function bindUnix(server: Server, path: string): Promise<Bound> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new RelaydError('ADDRESS_UNAVAILABLE', `${KEY}: unix:${path} is longer than a socket's path may be (${MAX_SOCKET_PATH_BYTES} bytes)`, { data: { key: KEY } });
  }
  await removeStale(path);
  // The umask is there so that the socket is never, not even for a moment, open to others.
  await listening(server, () => withUmask(0o177, () => server.listen({ path, exclusive: true })), `unix:${path}`);
  await chmod(path, 0o600);
  return { url: `unix:${path}`, reach: 'unix' };
}

async function removeStale(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) {
    return;
  }
  if (!file.isSocket()) {
    throw new RelaydError('ADDRESS_IN_USE', `${KEY}: ${path} is there already and is not a socket; remove it, or set another path`, { data: { key: KEY } });
  }
  if (await isAlive(path)) {
    throw new RelaydError('ADDRESS_IN_USE', `${KEY}: another process listens on unix:${path}; stop that one (a second relayd?), or set another path`, { data: { key: KEY } });
  }
  await rm(path, { force: true });
}

/** Only a refused connection proves that the owner is gone; whatever else happens, the socket is let be. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: PROBE_TIMEOUT_MS });
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(true));
    socket.once('error', (error: NodeJS.ErrnoException) => answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}

/** A worker thread cannot change the umask; `chmod` closes the gap there a moment later. */
function withUmask(mask: number, fn: () => void): void {
  if (!isMainThread) {
    return fn();
  }
  const before = process.umask(mask);
  try {
    fn();
  } finally {
    process.umask(before);
  }
}

function listening(server: Server, listen: () => void, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: NodeJS.ErrnoException): void => {
      server.off('listening', settle);
      server.off('error', settle);
      if (error === undefined) resolve();
      else reject(bindError(error, address));
    };
    server.once('listening', settle);
    server.once('error', settle);
    listen();
  });
}

function bindError(error: NodeJS.ErrnoException, address: string): RelaydError {
  if (error.code === 'EADDRINUSE') {
    return new RelaydError('ADDRESS_IN_USE', `${KEY}: another process listens on ${address}; stop that one (a second relayd?), or set another address`, { cause: error, data: { key: KEY, address } });
  }
  return new RelaydError('ADDRESS_UNAVAILABLE', `${KEY}: cannot listen on ${address}: ${errorMessage(error)}; use an address of this machine, or a path in a folder that relayd may write to`, { cause: error, data: { key: KEY, address } });
}
