import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CliContext } from './context.ts';
import { describeFailure } from './failure.ts';

const REDRAW_MS = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[J';

export interface WatchOptions {
  watch?: boolean;
}

export function addWatchOption(command: Command, meaning = 'again every 2 s, until Ctrl-C; with --json one line each time'): Command {
  return command.option('--watch', meaning);
}

/**
 * Shows what `draw` gives: once, or with `repeat` every 2 s until SIGINT or SIGTERM. When the daemon goes away in between, that
 * is shown, and it is asked again: it may be restarting. Only a first failure is thrown.
 */
export async function show(context: CliContext, repeat: boolean, draw: (signal: AbortSignal) => Promise<string>): Promise<void> {
  if (!repeat) {
    context.print(await draw(AbortSignal.timeout(60_000)));
    return;
  }
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  context.io.signals.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await redraw(context, draw, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    context.io.signals.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function redraw(context: CliContext, draw: (signal: AbortSignal) => Promise<string>, signal: AbortSignal): Promise<void> {
  let drawn = await draw(signal);
  for (;;) {
    context.print(context.io.stdout.isTTY === true ? CLEAR_SCREEN + drawn : separated(drawn));
    await sleep(REDRAW_MS, undefined, { signal });
    drawn = await draw(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      return describeFailure(error).text;
    });
  }
}

/** In a file or a pipe, an empty line ends each table; JSON is one line each time. */
function separated(drawn: string): string {
  return drawn.endsWith('\n') ? `${drawn}\n` : drawn;
}
