import type { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, toError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import type { Notify } from './notify.ts';

/** What this asks of a node; `RelayNode` is one. */
export interface SupervisedNode {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when drained; does not stop. */
  drain(): Promise<void>;
  reload(): Promise<{ changed: string[]; restartNeeded: string[] }>;
  readonly peerId: { toString(): string };
  readonly addrs: readonly string[];
  readonly adminUrl: string;
  /** Also when the drain was asked for over the admin API. */
  on(event: 'drained', listener: () => void): unknown;
  off(event: 'drained', listener: () => void): unknown;
}

export interface SuperviseOptions {
  node: SupervisedNode;
  log: Logger;
  /** Of the config: what the ready line says beside what the node knows. */
  facts: { profile: string; role: string };
  notify: Notify;
  /** Where signals and uncaught errors arrive: the process. */
  signals: EventEmitter;
  exitNow: (code: number) => void;
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** After an error that nobody expected, a clean stop is tried, but not for long. */
const LAST_STOP_MS = 5_000;

/**
 * Runs a node for as long as the process is to live. The first SIGTERM or SIGINT drains and stops it, a second one ends the
 * process at once; SIGHUP reloads; a drain that came over the API ends it too.
 *
 * @returns the process's exit code
 * @throws whatever `node.start` throws
 */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const run = new Run(options);
  run.listen();
  try {
    return await run.untilDone();
  } finally {
    run.unlisten();
  }
}

class Run {
  readonly #options: SuperviseOptions;
  readonly #done = Promise.withResolvers<void>();
  #state: 'starting' | 'serving' | 'ending' = 'starting';
  #dying = false;
  #reload: Promise<void> = Promise.resolve();
  #reloadWaits = false;

  constructor(options: SuperviseOptions) {
    this.#options = options;
  }

  listen(): void {
    const { node, signals } = this.#options;
    STOP_SIGNALS.forEach((name) => signals.on(name, this.#onStop));
    signals.on('SIGHUP', this.#onReload).on('uncaughtException', this.#onUncaught).on('unhandledRejection', this.#onUncaught);
    node.on('drained', this.#onDrained);
  }

  unlisten(): void {
    const { node, signals } = this.#options;
    STOP_SIGNALS.forEach((name) => signals.off(name, this.#onStop));
    signals.off('SIGHUP', this.#onReload).off('uncaughtException', this.#onUncaught).off('unhandledRejection', this.#onUncaught);
    node.off('drained', this.#onDrained);
  }

  async untilDone(): Promise<number> {
    const { node, notify, log } = this.#options;
    await node.start();
    if (this.#state === 'starting') {
      this.#state = 'serving';
      this.#sayReady();
      notify('ready');
      if (this.#reloadWaits) this.#queueReload();
      await this.#done.promise;
    }
    notify('stopping');
    await node.stop();
    log.info({ event: 'stopped' }, 'stopped');
    return EXIT_OK;
  }

  /** Scripts wait for this line, so it is written whatever the log level is. */
  #sayReady(): void {
    const { node, log, facts } = this.#options;
    const line = { event: 'ready', peerId: node.peerId.toString(), addrs: [...node.addrs], admin: node.adminUrl, pid: process.pid, ...facts };
    log.child({}, { level: 'info' }).info(line, 'ready');
  }

  readonly #onStop = (signal: string): void => {
    const { node, log, notify, exitNow } = this.#options;
    if (this.#state === 'ending') {
      exitNow(EXIT_FAILED);
      return;
    }
    const serving = this.#state === 'serving';
    this.#state = 'ending';
    log.info({ event: 'signal', signal }, serving ? 'draining; a second signal ends the process at once' : 'stopping as soon as the start is over; a second signal ends the process at once');
    if (serving) {
      notify('stopping');
      node.drain().catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'the drain failed; stopping without it')).finally(() => this.#done.resolve());
    }
  };

  readonly #onDrained = (): void => {
    // A signal after a drain that the API began is a first one, until the drain is over.
    this.#state = 'ending';
    this.#done.resolve();
  };

  /** One at a time; signals that come meanwhile, or during the start, make one more, which sees the newest file. */
  readonly #onReload = (): void => {
    if (this.#state === 'ending' || this.#reloadWaits) {
      return;
    }
    this.#reloadWaits = true;
    if (this.#state === 'serving') this.#queueReload();
  };

  #queueReload(): void {
    this.#reload = this.#reload.then(() => this.#reloadOnce());
  }

  async #reloadOnce(): Promise<void> {
    const { node, log, notify } = this.#options;
    this.#reloadWaits = false;
    notify('reloading');
    try {
      const { changed, restartNeeded } = await node.reload();
      log.info({ event: 'reloaded', changed, restartNeeded }, reloadText(changed, restartNeeded));
    } catch (error) {
      log.error({ event: 'reload-failed', error: errorMessage(error) }, 'the config is wrong; the old one stays in force');
    }
    notify('ready');
  }

  readonly #onUncaught = (error: unknown): void => {
    const { log, exitNow } = this.#options;
    if (this.#dying) {
      exitNow(EXIT_FAILED);
      return;
    }
    this.#dying = true;
    this.#state = 'ending';
    log.error({ event: 'fatal', error: errorMessage(error), stack: toError(error).stack }, 'an error that nothing caught; stopping');
    void this.#die();
  };

  async #die(): Promise<void> {
    const { node, exitNow } = this.#options;
    const stopped = new AbortController();
    try {
      await Promise.race([node.stop(), sleep(LAST_STOP_MS, undefined, { signal: stopped.signal })]);
    } catch {
      // The process ends all the same.
    } finally {
      stopped.abort();
      exitNow(EXIT_FAILED);
    }
  }
}

function reloadText(changed: readonly string[], restartNeeded: readonly string[]): string {
  const live = changed.length === 0 ? 'reloaded; nothing changed' : 'reloaded';
  return restartNeeded.length === 0 ? live : `${live}; some keys need a restart`;
}
