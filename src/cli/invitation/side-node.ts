import { EventEmitter } from 'node:events';
import type { DestinationStream } from 'pino';
import type { RelaydConfig } from '../../config/domain.ts';
import { createLogger } from '../../lib/logger.ts';
import { RelayNode } from '../../node/index.ts';
import type { CliContext } from '../context.ts';
import { createNotify } from '../notify.ts';
import { supervise } from '../supervise.ts';

/** What a node does first, once it runs; `signal` gives up. What it throws ends the node. */
type FirstWork = (node: RelayNode, signal: AbortSignal) => Promise<void>;

/**
 * Runs a node of one purpose (a share, an opened line) in the foreground until it is told to stop. Its log is for people, on stderr: stdout is for
 * what the command prints.
 *
 * @returns the process's exit code
 */
export async function runSideNode(context: CliContext, config: RelaydConfig, first: FirstWork): Promise<number> {
  const log = createLogger({ ...config.log, destination: stderrLines(context) });
  const signals = foregroundSignals(context.io.signals);
  const node = new SideNode(config, log, first, signals.stopped);
  const { profile, role } = config;
  try {
    return await supervise({ node, log, facts: { profile, role }, notify: createNotify(context.io.env, log), signals: signals.emitter, exitNow: context.io.exitNow });
  } finally {
    signals.end();
  }
}

/** Started only when its first work is done. */
class SideNode extends RelayNode {
  readonly #first: FirstWork;
  readonly #stopped: AbortSignal;

  constructor(config: RelaydConfig, log: ReturnType<typeof createLogger>, first: FirstWork, stopped: AbortSignal) {
    super(config, { log });
    this.#first = first;
    this.#stopped = stopped;
  }

  override async start(): Promise<void> {
    await super.start();
    try {
      await this.#first(this, this.#stopped);
    } catch (error) {
      // Who gave up himself needs no reason.
      if (this.#stopped.aborted) return;
      await this.stop();
      throw error;
    }
  }
}

interface LogLine {
  level: string;
  msg: string;
  event?: string;
  reason?: string;
  error?: string;
}

/** Log lines as a person reads them. The line that scripts of the daemon wait for is none of them. */
function stderrLines(context: CliContext): DestinationStream {
  return {
    write: (text) => {
      const { msg, event, reason, error } = JSON.parse(text) as LogLine;
      const why = [reason, error].filter((part) => part !== undefined).join('; ');
      if (event !== 'ready') context.printError(`relayd: ${msg}${why === '' ? '' : `: ${why}`}`);
    },
  };
}

const PASSED_ON = ['SIGINT', 'SIGTERM', 'uncaughtException', 'unhandledRejection'] as const;

/** The process's signals, of which SIGHUP means what it means to a command in a terminal that closes: stop. */
function foregroundSignals(process: EventEmitter): { emitter: EventEmitter; stopped: AbortSignal; end: () => void } {
  const emitter = new EventEmitter();
  const stopped = new AbortController();
  const listeners = [...PASSED_ON, 'SIGHUP' as const].map((name) => {
    const listener = (value: unknown): void => {
      if (name.startsWith('SIG')) stopped.abort();
      emitter.emit(name === 'SIGHUP' ? 'SIGTERM' : name, value);
    };
    process.on(name, listener);
    return { name, listener };
  });
  return { emitter, stopped: stopped.signal, end: () => listeners.forEach(({ name, listener }) => process.off(name, listener)) };
}
