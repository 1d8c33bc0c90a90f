import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { HostPort } from '../config/domain.ts';
import { errorMessage } from '../lib/errors.ts';
import { KEEP_ALIVE_MS } from './limits.ts';

/** How every socket of a tunnel behaves: each direction ends by itself, small writes leave at once, a dead peer is noticed. */
export const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } as const;

/**
 * Connects to a TCP service, paused. The host is resolved once; where it has several addresses, Node tries them in turn.
 *
 * @throws what Node says (ECONNREFUSED, ENOTFOUND, …), or the signal's reason
 */
export function connectTcp(to: HostPort, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to.host, port: to.port, ...SOCKET_OPTIONS });
    const settle = (outcome: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      socket.off('error', onError);
      socket.on('error', ignore);
      outcome();
    };
    const onConnect = (): void => settle(() => resolve(socket));
    const onError = (error: Error): void => settle(() => reject(error));
    const onAbort = (): void =>
      settle(() => {
        socket.destroy();
        reject(signal.reason);
      });
    socket.pause();
    socket.on('connect', onConnect);
    socket.on('error', onError);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Ends a socket so that the other end sees a reset, not a clean end. After our own end of stream libuv can no longer
 * send a reset; by then all our bytes have been handed on, so nothing looks complete that is not.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded || socket.connecting) {
    socket.destroy();
  } else {
    socket.resetAndDestroy();
  }
}

/** A socket nobody listens to any more must not end the process by an `error` event. */
export function ignore(): void {}

/** Why a TCP connection failed; where several addresses were tried, the reason of each. */
export function tcpErrorText(error: unknown): string {
  return error instanceof AggregateError && error.message === '' ? error.errors.map(errorMessage).join(', ') : errorMessage(error);
}

/** `127.0.0.1:22`, `[::1]:22`. */
export function hostPortText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
