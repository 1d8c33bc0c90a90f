import type { Connection, Stream } from '@libp2p/interface';
import { isRelayed } from './addresses.ts';
import { RelaydError, toError } from './errors.ts';

export interface DirectStreamOptions {
  readonly protocol: string;
  /** Of the protocol on the connection, outbound. */
  readonly maxStreams: number;
  readonly signal: AbortSignal;
}

/**
 * Opens a stream of a protocol that two neighbours speak, and resets it when `use` fails.
 *
 * @throws RelaydError BAD_REQUEST on a relayed connection; libp2p's errors when no stream can be opened; what `use` throws
 */
export async function withDirectStream<T>(connection: Connection, { protocol, maxStreams, signal }: DirectStreamOptions, use: (stream: Stream) => Promise<T>): Promise<T> {
  assertDirect(connection);
  const stream = await connection.newStream([protocol], { signal, maxOutboundStreams: maxStreams });
  try {
    return await use(stream);
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

/** @throws RelaydError BAD_REQUEST on a relayed connection */
export function assertDirect(connection: Connection): void {
  if (isRelayed(connection)) {
    throw new RelaydError('BAD_REQUEST', 'this protocol is spoken on direct connections only');
  }
}
