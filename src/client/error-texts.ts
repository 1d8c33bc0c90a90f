import { errorMessage } from '../lib/errors.ts';

/** The distinct texts of an error, or of all those that it gathers. */
export function errorTexts(error: unknown): string[] {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return [...new Set(errors.map(errorMessage))];
}
