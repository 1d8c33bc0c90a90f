import type { Connection, Stream } from '@libp2p/interface';
import { randomBytes } from 'node:crypto';

/** The protocol that every test peer answers by sending everything back. */
const ECHO = '/relayd-test/echo/1.0.0';
const PIECE_BYTES = 65_536;

/** Sends random bytes over a new stream and tells whether exactly they came back. @throws Error when the stream breaks */
export async function echo(connection: Connection, bytes: number, signal: AbortSignal): Promise<{ bytes: number; match: boolean }> {
  const stream = await connection.newStream([ECHO], { signal, runOnLimitedConnection: true });
  const abort = (): void => stream.abort(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    const sent = randomBytes(bytes);
    const [received] = await Promise.all([read(stream), write(stream, sent, signal)]);
    return { bytes: received.length, match: sent.equals(received) };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function write(stream: Stream, bytes: Buffer, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (!stream.send(bytes.subarray(at, at + PIECE_BYTES))) await stream.onDrain({ signal });
  }
  await stream.close({ signal });
}

async function read(stream: Stream): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}
