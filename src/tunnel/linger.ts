import type { Stream } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';

export interface LingerOptions {
  clock: Clock;
  /** How long the far side may take to close its end. */
  ms: number;
  /** Resets the stream at once. */
  signal: AbortSignal;
}

/**
 * Ends a stream on which all has been said: our end is closed, and when the far side has not closed its own in time
 * the stream is reset. A reset at once could overtake the last message at the far side. Never throws.
 */
export async function closeOrReset(stream: Stream, options: LingerOptions): Promise<void> {
  const { clock, ms, signal } = options;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const reset = (): void => stream.abort(signal.aborted ? toError(signal.reason) : new RelaydError('TIMEOUT', `the far side did not close its end within ${ms / 1000} s`));
  const timer = clock.setTimer(reset, ms);
  stream.addEventListener('close', () => resolve(), { once: true });
  // What still comes is dropped; while nobody listened it would fill the stream's buffer.
  stream.addEventListener('message', () => {});
  signal.addEventListener('abort', reset, { once: true });
  try {
    if (signal.aborted) reset();
    else await stream.close();
    if (stream.status === 'open') await closed;
  } catch (error) {
    stream.abort(toError(error));
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', reset);
  }
}
