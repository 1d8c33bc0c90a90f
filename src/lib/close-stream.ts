import type { Stream } from '@libp2p/interface';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { toError } from './errors.ts';

/** How long the other side has to end its half after we ended ours. */
export const LINGER_MS = 2_000;

export interface CloseOptions {
  /** What still comes is thrown away: we have said our last word. */
  discard?: boolean;
  /** For a last word so long that the other side may take longer to read it. */
  lingerMs?: number;
}

/**
 * Ends our half of `stream`, and resets it when the other side has not ended its own by the linger time: a stream
 * that only one side has closed would stay in the muxer's table for as long as the connection.
 */
export function closeStream(stream: Stream, clock: Clock = systemClock, options: CloseOptions = {}): void {
  if (stream.status !== 'open') {
    return;
  }
  const timer = clock.setTimer(() => stream.abort(new Error('the other side did not end the stream')), options.lingerMs ?? LINGER_MS);
  stream.addEventListener('close', () => timer.cancel(), { once: true });
  const closing = stream.close().then(() => (options.discard === true ? stream.closeRead() : undefined));
  closing.catch((error: unknown) => stream.abort(toError(error)));
}
