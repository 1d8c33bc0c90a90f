import type { EventEmitter } from 'node:events';
import { EXIT_OK } from './exit-codes.ts';

export interface EarlySignalsOptions {
  argv: readonly string[];
  signals: EventEmitter;
  exitNow: (code: number) => void;
  /** Ends the process as the signal itself would. */
  dieOf: (signal: NodeJS.Signals) => void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** The options before a command that are followed by a value. */
const WITH_VALUE = new Set(['-c', '--config', '--profile', '--role', '--set']);

/**
 * Answers signals from the first moment, when the program itself is not loaded yet. A daemon that has started nothing is stopped cleanly at once,
 * and reads its config anyway; any other command dies of the signal. As soon as somebody else listens, it is theirs.
 */
export function answerEarlySignals({ argv, signals, exitNow, dieOf }: EarlySignalsOptions): void {
  const isDaemon = commandOf(argv) === 'run';
  for (const signal of SIGNALS) {
    const onSignal = (): void => {
      if (signals.listenerCount(signal) > 1) return;
      if (!isDaemon) {
        signals.off(signal, onSignal);
        dieOf(signal);
      } else if (signal !== 'SIGHUP') {
        exitNow(EXIT_OK);
      }
    };
    signals.on(signal, onSignal);
  }
}

function commandOf(argv: readonly string[]): string | undefined {
  return argv.find((word, i) => !word.startsWith('-') && !WITH_VALUE.has(argv[i - 1] ?? ''));
}
