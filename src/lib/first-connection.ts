import type { Connection } from '@libp2p/interface';
import type { Clock } from './clock.ts';
import { deadline } from './deadline.ts';
import { errorMessage, RelaydError, toError } from './errors.ts';

/** One way to a connection; it ends soon after its signal has aborted. */
type Way = (signal: AbortSignal) => Promise<Connection>;

interface FirstOptions {
  /** The most that all may take. */
  ms: number;
  clock: Clock;
  signal: AbortSignal;
  /**
   * Both ends of several connections may see another one stand first. One end alone chooses, then: it gives up what is under way and closes what
   * still comes. The other keeps what comes, so that the choice stands at both.
   */
  chooses: boolean;
}

/** What is under way when the first connection stands at the end that does not choose is chosen by the other, or given up, by then. */
const LATE_MS = 2_000;

/**
 * The first connection that one of `ways` brings.
 *
 * @throws RelaydError DIAL_FAILED with what became of each; the signal's reason
 */
export async function firstOf(ways: readonly Way[], { ms, clock, signal, chooses }: FirstOptions): Promise<Connection> {
  const over = new AbortController();
  const limit = deadline(ms, clock, signal, over.signal);
  let isWon = false;
  const tries = ways.map(async (way) => {
    const connection = await way(limit.signal);
    if (isWon && chooses) discard(connection);
    isWon = true;
    return connection;
  });
  const end = (): void => over.abort(new Error('another way was faster'));
  void Promise.allSettled(tries).then(() => limit.clear());
  try {
    const first = await Promise.any(tries);
    if (chooses) end();
    else clock.setTimer(end, LATE_MS);
    return first;
  } catch (error) {
    signal.throwIfAborted();
    const errors = error instanceof AggregateError ? [...new Set(error.errors.map(errorMessage))] : [errorMessage(error)];
    throw new RelaydError('DIAL_FAILED', errors.join('; ') || 'there is no way', { cause: error });
  }
}

function discard(connection: Connection): void {
  connection.close().catch((error: unknown) => connection.abort(toError(error)));
}
