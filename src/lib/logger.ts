import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import pretty from 'pino-pretty';

/** The level a person sets; `trace` includes libp2p's own lines. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'json' | 'pretty' | 'auto';

/** What the rest of the program asks of a logger: pino's shape, object first, text second. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'child' | 'level'>;

/** The longest text written by a peer that a log line keeps. */
const MAX_PEER_TEXT = 128;

export interface LoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Where lines go; standard output unless a test says otherwise. */
  destination?: DestinationStream;
}

export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: ['token', 'secret', 'password', '*.token', '*.secret', '*.password'], censor: '[redacted]' },
  };
  if (options.destination !== undefined) {
    return pino(settings, options.destination);
  }
  const person = options.format === 'pretty' || (options.format === 'auto' && process.stdout.isTTY);
  return person ? pino(settings, pretty({ sync: true, colorize: process.stdout.isTTY, ignore: 'pid,hostname' })) : pino(settings, pino.destination({ fd: 1, sync: true }));
}

export const silentLogger: Logger = pino({ level: 'silent' });

/**
 * Text that a peer wrote (an agent string, an error), made safe for a log line or a table:
 * control characters become `?`, and what is longer than {@link MAX_PEER_TEXT} is cut.
 */
export function peerText(text: string): string {
  // eslint-disable-next-line no-control-regex
  const clean = text.slice(0, MAX_PEER_TEXT + 1).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?');
  return clean.length > MAX_PEER_TEXT ? `${clean.slice(0, MAX_PEER_TEXT)}…` : clean;
}
