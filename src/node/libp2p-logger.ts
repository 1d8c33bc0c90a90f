import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';
import { format } from 'node:util';
import type { Logger } from '../lib/logger.ts';
import { peerText } from '../lib/logger.ts';

/** Names of components of ours begin so. */
const OURS = 'relayd:';

/**
 * libp2p's own lines, at level `trace` of our log. Below that level they cost nothing: no text is made, and the scopes that libp2p asks for
 * at every connection and stream are all the logger that they are a scope of.
 * Its formatters (%p for a peer id, %a for an address, %e for an error) become plain text.
 */
export function libp2pLogger(log: Logger): ComponentLogger {
  return { forComponent: (name) => component(log, name) };
}

function component(log: Logger, name: string): Libp2pLogger {
  const tracing = (): boolean => log.level === 'trace';
  const write = (...args: unknown[]): void => {
    if (tracing()) {
      log.trace({ component: name }, text(args));
    }
  };
  // What our own plug-ins call an error is for the operator.
  const error = name.startsWith(OURS) ? (...args: unknown[]): void => log.warn(text(args)) : write;
  const newScope = (scope: string): Libp2pLogger => (tracing() ? component(log, `${name}:${scope}`) : logger);
  const logger = Object.assign(write, { error, trace: write, enabled: false, newScope });
  return Object.defineProperty(logger, 'enabled', { get: tracing });
}

function text([template, ...values]: readonly unknown[]): string {
  return peerText(format(String(template).replace(/%[pabekt]|%[0-9]*[A-Z]/g, '%s'), ...values.map(plain)));
}

function plain(value: unknown): unknown {
  if (value instanceof Error) {
    return value.message;
  }
  return typeof value === 'object' && value !== null && value.toString !== Object.prototype.toString ? String(value) : value;
}
