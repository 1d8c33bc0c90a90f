import type { Stream } from '@libp2p/interface';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';

/** How long the other side has to end its half after we ended ours. */
export const LINGER_MS = 2_000;

/**
 * Ends our half of `stream`, and resets it when the other side has not ended its own by the linger time: a stream
 * that only one side has closed would stay in the muxer's table for as long as the connection.
 */
export function closeStream(stream: Stream, clock: Clock = systemClock): void {
  if (stream.status !== 'open') {
    return;
  }
  const timer = clock.setTimer(() => stream.abort(new Error('the other side did not end the stream')), LINGER_MS);
  stream.addEventListener('close', () => timer.cancel(), { once: true });
  stream.close().catch((error: unknown) => stream.abort(error as Error));
}
