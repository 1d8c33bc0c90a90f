import type { TLSSocket } from 'node:tls';
import { toError } from '../../lib/errors.ts';

/** Resolves when the handshake is over. @throws Error of TLS or of the socket, or the signal's reason; either way nothing of ours stays on them */
export async function handshake(socket: TLSSocket, signal?: AbortSignal): Promise<void> {
  const over = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => reject(readable(error));
      const onClose = (): void => reject(new Error('the peer closed the connection during the TLS handshake'));
      const onAbort = (): void => reject(toError(signal?.reason));
      socket.on('secure', resolve).on('error', onError).on('close', onClose);
      signal?.addEventListener('abort', onAbort, { signal: over.signal });
      over.signal.addEventListener('abort', () => socket.off('secure', resolve).off('error', onError).off('close', onClose));
      if (signal?.aborted === true) onAbort();
    });
  } finally {
    over.abort();
  }
}

/** OpenSSL's own text has an address, a file and a line around what it says. */
function readable(error: Error & { reason?: unknown }): Error {
  return typeof error.reason === 'string' ? new Error(`TLS: ${error.reason}`, { cause: error.cause }) : error;
}
