import { errorMessage, RelaydError } from '../lib/errors.ts';
import type { ErrorCode } from '../lib/errors.ts';
import { EXIT_FAILED } from './exit-codes.ts';
import { text } from './format.ts';

/** A failure whose lines are complete as they are: config errors, each `FILE:LINE:COLUMN: …`. */
export class PlainFailure extends Error {
  readonly exitCode: number;

  constructor(lines: readonly string[], exitCode: number) {
    super(lines.join('\n'));
    this.name = 'PlainFailure';
    this.exitCode = exitCode;
  }
}

/** What to do about it, where the message, which says it as a rule, cannot know. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: 'give the token with --token-file FILE, or run this as the user that runs the daemon',
  INTERNAL: 'this should not happen: please report it',
};

/** One line for a person: message, code, and what to do. No stack. */
export function describeFailure(error: unknown): { text: string; exitCode: number } {
  if (error instanceof PlainFailure) {
    return { text: error.message, exitCode: error.exitCode };
  }
  if (!(error instanceof RelaydError)) {
    return { text: `relayd: ${oneLine(errorMessage(error))}`, exitCode: EXIT_FAILED };
  }
  const advice = ADVICE[error.code];
  return { text: `relayd: ${oneLine(error.message)} (${error.code})${advice === undefined ? '' : `; ${advice}`}`, exitCode: error.exitCode };
}

/** Peers and files have a say in it. */
function oneLine(message: string): string {
  return text(message.replaceAll(/\s*\n\s*/g, ' '), { wide: true });
}
