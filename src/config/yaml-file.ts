import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair, YAMLError } from 'yaml';
import { errorMessage } from '../lib/errors.ts';
import { emptyReading, readTree } from './layer.ts';
import type { Path, Reading, Source } from './layer.ts';
import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { formatPath } from './problem.ts';
import type { ConfigProblem, Place } from './problem.ts';

/** Reads the config file: YAML 1.2, one document, every error with its line and column. */
export function readFile(file: string): Reading {
  const text = textOf(file);
  return text.ok ? readYaml(text.value, file) : emptyReading([{ source: file, key: '', problem: text.problem, expected: text.expected }]);
}

function textOf(file: string): Parsed<string> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return bad(`the config file cannot be read: ${errorMessage(error)}`, 'a file that is there and that this user can read');
  }
  try {
    return good(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return bad('the config file is not UTF-8 text', 'YAML in UTF-8');
  }
}

/** @param file the path as given: errors and origins repeat it */
function readYaml(text: string, file: string): Reading {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { source: file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const errors = syntaxProblems(doc, place);
  // A key that is given twice does not hide what else is wrong; broken syntax would make up errors.
  if (errors.some((error) => error.key === '')) {
    return emptyReading(errors);
  }
  const tree = plain(doc);
  if (!tree.ok) {
    return emptyReading([{ ...place(0), key: '', problem: tree.problem, expected: tree.expected }]);
  }
  const reading = readTree(tree.value, fileSource(doc, file, place));
  return { ...reading, problems: [...errors, ...reading.problems] };
}

/** A few lines of aliases to aliases can stand for gigabytes: the library counts and refuses. */
function plain(doc: Document.Parsed): Parsed<unknown> {
  try {
    return good(doc.toJS());
  } catch (error) {
    return bad(errorMessage(error), 'the values themselves in place of aliases');
  }
}

function fileSource(doc: Document.Parsed, file: string, place: (offset: number) => Place): Source {
  return {
    kind: 'file',
    folder: dirname(resolve(file)),
    place: (path, part) => place(offsetOf(doc, path, part)),
    origin: (path) => `${file}:${place(offsetOf(doc, path, 'key')).line}`,
  };
}

/** Where the value at `path` begins, or its key. An empty value has no place of its own: its key's is taken. */
function offsetOf(doc: Document.Parsed, path: Path, part: 'key' | 'value'): number {
  let node: unknown = doc.contents;
  let offset = doc.contents?.range[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    const pair = isMap(node) ? node.items.find((item) => keyText(item) === String(step)) : undefined;
    const next = pair?.value ?? (isSeq(node) ? node.items[Number(step)] : undefined);
    const atKey = pair !== undefined && (part === 'key' || isEmpty(next) || depth < path.length - 1);
    offset = startOf(atKey ? pair.key : next) ?? offset;
    node = next;
  }
  return offset;
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function keyText(pair: Pair): string {
  return isScalar<string | number | boolean | null>(pair.key) ? String(pair.key.value ?? '') : String(pair.key);
}

/** How to put right what the parser found, by its code. */
const REMEDIES: Record<string, [problem: string | undefined, expected: string]> = {
  DUPLICATE_KEY: ['is given twice', 'each key once'],
  MULTIPLE_DOCS: ['a second document begins here', 'one document: no --- in the middle of the file'],
  TAB_AS_INDENT: ['a tab is used for indentation', 'spaces'],
  BAD_INDENT: [undefined, 'every key of one level in the same column'],
  BLOCK_AS_IMPLICIT_KEY: ['a second ": " in one line', 'one key a line, or quotes around the value'],
  BAD_SCALAR_START: [undefined, 'quotes around the value'],
  UNEXPECTED_TOKEN: [undefined, 'quotes around a value that begins with [, such as "[::1]:9641"'],
  TAG_RESOLVE_FAILED: ['a tag is used', 'the value without its tag'],
  BAD_ALIAS: [undefined, 'an anchor before each alias'],
};

/** Behind the first errors of broken syntax come those that follow from them. */
const MAX_SYNTAX_PROBLEMS = 10;

function syntaxProblems(doc: Document.Parsed, place: (offset: number) => Place): ConfigProblem[] {
  const parsed = [...doc.errors, ...doc.warnings].map((error) => parserProblem(doc, error, place));
  const broken = parsed.some((problem) => problem.key === '');
  return broken ? parsed.slice(0, MAX_SYNTAX_PROBLEMS) : [...parsed, ...structureProblems(doc, place)];
}

function parserProblem(doc: Document.Parsed, error: YAMLError, place: (offset: number) => Place): ConfigProblem {
  const [problem, expected] = REMEDIES[error.code] ?? [undefined, 'valid YAML'];
  const at = place(error.pos[0]);
  const key = error.code === 'DUPLICATE_KEY' ? pathAt(doc, error.pos[0]) : '';
  return { ...at, key, problem: problem ?? `broken YAML: ${lowerFirst(error.message)}`, expected };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The path of the key that begins at `offset`. */
function pathAt(doc: Document.Parsed, offset: number): string {
  for (const { pair, path } of pairsOf(doc.contents, [])) {
    if (startOf(pair.key) === offset) {
      return formatPath(path);
    }
  }
  return '';
}

/** Every pair of every map, with its path; what stands twice comes twice. */
function* pairsOf(node: unknown, above: Path): Generator<{ pair: Pair; path: Path }> {
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      yield* pairsOf(item, [...above, index]);
    }
  }
  for (const pair of isMap(node) ? node.items : []) {
    const path = [...above, keyText(pair)];
    yield { pair, path };
    yield* pairsOf(pair.value, path);
  }
}

/** What is valid YAML and still no config: a root that is no map, keys that are no words, aliases without an anchor. */
function structureProblems(doc: Document.Parsed, place: (offset: number) => Place): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (node: unknown, problem: string, expected: string): void => {
    problems.push({ ...place(startOf(node) ?? 0), key: '', problem, expected });
  };
  if (doc.contents !== null && !isMap(doc.contents) && !isEmpty(doc.contents)) {
    report(doc.contents, `the file is ${isSeq(doc.contents) ? 'a list' : `the one value ${shown(doc.contents.toJS(doc))}`}`, 'a map of keys, such as "role: relay"');
  }
  visit(doc, {
    Pair: (_key, pair) => (isScalar(pair.key) && Object(pair.key.value) !== pair.key.value ? undefined : report(pair.key, 'a key is a list or a map', 'a word')),
    Alias: (_key, alias) => (alias.resolve(doc) === undefined ? report(alias, `no anchor ${shown(alias.source)} stands before this alias`, 'an anchor before each alias') : undefined),
  });
  return problems;
}
