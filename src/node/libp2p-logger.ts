import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';
import { format } from 'node:util';
import type { Logger } from '../lib/logger.ts';
import { peerText } from '../lib/logger.ts';

/**
 * libp2p's own lines, at level `trace` of our log. Below that level they cost nothing: no text is made.
 * Its formatters (%p for a peer id, %a for an address, %e for an error) become plain text.
 */
export function libp2pLogger(log: Logger): ComponentLogger {
  return { forComponent: (name) => component(log, name) };
}

function component(log: Logger, name: string): Libp2pLogger {
  const write = (...args: unknown[]): void => {
    if (log.level === 'trace') {
      const [template, ...values] = args;
      log.trace({ component: name }, peerText(format(String(template).replace(/%[pabekt]|%[0-9]*[A-Z]/g, '%s'), ...values.map(plain))));
    }
  };
  const logger = write as Libp2pLogger;
  return Object.assign(logger, { error: write, trace: write, enabled: log.level === 'trace', newScope: (scope: string) => component(log, `${name}:${scope}`) });
}

function plain(value: unknown): unknown {
  if (value instanceof Error) {
    return value.message;
  }
  return typeof value === 'object' && value !== null && value.toString !== Object.prototype.toString ? String(value) : value;
}
