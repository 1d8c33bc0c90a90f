/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** The file's path as given, `environment RELAYD_X`, `--set`, `config object`. */
  source: string;
  /** Both count from 1; only a file has them. */
  line?: number;
  column?: number;
  /** The path of the key with dots; empty when it is not about one key. */
  key: string;
  problem: string;
  expected: string;
}

/** Where a problem is. */
export type Place = Pick<ConfigProblem, 'source' | 'line' | 'column'>;

/** `FILE:LINE:COLUMN: key.path: what is wrong; what would be right`, in one line. */
export function formatProblem(problem: ConfigProblem): string {
  const position = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const key = problem.key === '' ? '' : ` ${problem.key}:`;
  return `${problem.source}${position}:${key} ${problem.problem}; ${problem.expected}`;
}

/** A path as errors write it: `tunnels.expose[0].to`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${printable(part)}`)).join('');
}

/** Keys come from outside: control characters would break the one-line form. */
function printable(part: string): string {
  // eslint-disable-next-line no-control-regex
  return part.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?').slice(0, 200);
}
