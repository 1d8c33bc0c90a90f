import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { formatProblem } from '../../config/index.ts';
import type { ConfigProblem } from '../../config/index.ts';
import { EXIT_CONFIG } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { goDurationMs } from './go-duration.ts';

/**
 * The JSON config of the Go relay daemon, as that read it: names of fields in any case, `null` for "as by default", an unknown
 * field is nothing. What it would not have started with is a problem with its line.
 */
export class OldFile {
  readonly problems: ConfigProblem[] = [];
  readonly #file: string;
  readonly #doc: Document.Parsed;
  readonly #lines = new LineCounter();
  /** In lower case. */
  readonly #asked = new Set<string>();

  /** @throws PlainFailure for what is no JSON object */
  constructor(text: string, file: string) {
    this.#file = file;
    checkJson(text, file);
    // JSON is YAML; that parser knows where each value stands. A tab cannot be in a JSON string, only between values.
    this.#doc = parseDocument(text.replaceAll('\t', ' '), { lineCounter: this.#lines, uniqueKeys: false });
    if (!isMap(this.#doc.contents)) {
      this.#report('', this.#doc.contents, 'this is no JSON object', 'the config file of libp2p-relay-daemon');
      this.check();
    }
  }

  /** @throws PlainFailure with a line for each problem */
  check(): void {
    if (this.problems.length > 0) {
      throw new PlainFailure(this.problems.map(formatProblem), EXIT_CONFIG);
    }
  }

  /** True when the file says something about the field. */
  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  isNull(path: string): boolean {
    const node = this.#find(path);
    return isScalar(node) && node.value === null;
  }

  wholeNumber(path: string, byDefault: number): number {
    return this.#value(path, byDefault, (value) => (Number.isInteger(value) ? (value as number) : undefined), 'a whole number');
  }

  /** Milliseconds. */
  duration(path: string, byDefaultMs: number): number {
    return this.#value(path, byDefaultMs, goDurationMs, 'a whole number of nanoseconds, such as 120000000000 for two minutes');
  }

  flag(path: string, byDefault: boolean): boolean {
    return this.#value(path, byDefault, (value) => (typeof value === 'boolean' ? value : undefined), 'true or false');
  }

  strings(path: string, byDefault: readonly string[]): readonly string[] {
    const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#value(path, byDefault, (value) => (isStrings(value) ? value : undefined), 'a list of strings');
  }

  /** A value that the new program cannot take over, at its place. */
  reject(path: string, problem: string, expected: string, index?: number): void {
    const node = this.#find(path);
    this.#report(index === undefined ? path : `${path}[${index}]`, index !== undefined && isSeq(node) ? node.items[index] : node, problem, expected);
  }

  /** The fields that nothing has asked for: those that the old daemon did not know either. */
  unknown(): string[] {
    return isMap(this.#doc.contents) ? this.#unknownIn(this.#doc.contents, '') : [];
  }

  #value<T>(path: string, byDefault: T, read: (value: unknown) => T | undefined, expected: string): T {
    const node = this.#find(path);
    if (node === undefined || (isScalar(node) && node.value === null)) {
      return byDefault;
    }
    const value: unknown = node.toJS(this.#doc);
    const result = read(value);
    if (result === undefined) {
      this.#report(path, node, `${JSON.stringify(value).slice(0, MAX_SHOWN)} is not what it should be`, expected);
    }
    return result ?? byDefault;
  }

  /** The last of several, as Go's decoder takes it. */
  #find(path: string): Node | undefined {
    let node: unknown = this.#doc.contents;
    let at = '';
    for (const name of path.split('.')) {
      at = joined(at, name.toLowerCase());
      this.#asked.add(at);
      if (!isMap(node)) {
        this.#notAnObject(path, node);
        return undefined;
      }
      node = node.items.findLast((pair) => String(pair.key).toLowerCase() === name.toLowerCase())?.value ?? undefined;
      if (node === undefined) {
        return undefined;
      }
    }
    return node as Node;
  }

  /** `null` is an object without fields to Go. */
  #notAnObject(path: string, node: unknown): void {
    const parent = path.split('.').slice(0, -1).join('.');
    if (!(isScalar(node) && node.value === null) && !this.problems.some((problem) => problem.key === parent)) {
      this.#report(parent, node, 'this is no object', '{ … } with the fields of that section');
    }
  }

  #unknownIn(map: Node, above: string): string[] {
    const pairs = isMap(map) ? map.items : [];
    return pairs.flatMap((pair) => {
      const path = joined(above, String(pair.key));
      if (!this.#asked.has(path.toLowerCase())) {
        return [path];
      }
      return this.#unknownIn(pair.value as Node, path);
    });
  }

  #report(key: string, node: unknown, problem: string, expected: string): void {
    const { line, col } = this.#lines.linePos((node as Node | null | undefined)?.range?.[0] ?? 0);
    this.problems.push({ source: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), key, problem, expected });
  }
}

/** Of a value in a message. */
const MAX_SHOWN = 60;

function joined(above: string, name: string): string {
  return above === '' ? name : `${above}.${name}`;
}

/** @throws PlainFailure with the line and column that Node's parser names */
function checkJson(text: string, file: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    const message = (error as SyntaxError).message;
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(message) ?? [undefined, text.split('\n').length, 1];
    const problem = `this is no JSON: ${message.replace(/ in JSON at position.*/s, '').replaceAll(/\s+/g, ' ')}`;
    throw new PlainFailure([formatProblem({ source: file, line: Number(line), column: Number(column), key: '', problem, expected: 'the config file of libp2p-relay-daemon' })], EXIT_CONFIG);
  }
}
