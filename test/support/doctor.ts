import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Item } from '../../src/doctor/index.ts';
import { cli } from '../unit/cli/run-cli.ts';
import type { CliResult } from '../unit/cli/run-cli.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Nothing of ours takes longer but a machine that stands still. */
const DEADLINE_MS = 90_000;

export interface Examination {
  readonly items: ReadonlyMap<string, Item>;
  readonly code: number;
}

/** `relayd doctor --json` in this process, or in one of its own. @param within wraps the command line of that process, to run it somewhere else */
export async function examine(configFile: string, args: readonly string[] = [], within?: (argv: readonly string[]) => readonly string[]): Promise<Examination> {
  const argv = ['doctor', '--json', '--config', configFile, ...args];
  const { stdout, stderr, code } = within === undefined ? await cli(argv) : await spawned(within([process.execPath, MAIN, ...argv]));
  assert.equal(stderr, '', 'nothing is written to stderr');
  return { items: new Map((JSON.parse(stdout) as Item[]).map((item) => [item.item, item])), code };
}

async function spawned([command = '', ...args]: readonly string[]): Promise<CliResult> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: DEADLINE_MS, killSignal: 'SIGKILL' });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { ...texts, code: code ?? Number.NaN };
}

/** These items and no others failed; the exit code says so. @returns the first of them */
export function assertFailed({ items, code }: Examination, names: readonly string[]): Item {
  const failed = [...items.values()].filter(({ status }) => status === 'failed');
  assert.deepEqual(failed.map(({ item }) => item), names, JSON.stringify(failed, undefined, 1));
  assert.equal(code, names.length > 0 ? 1 : 0);
  return itemNamed({ items }, names[0] ?? 'config');
}

/** This item warns, and nothing failed. @returns it */
export function assertWarned(examination: Examination, name: string): Item {
  assertFailed(examination, []);
  const item = itemNamed(examination, name);
  assert.equal(item.status, 'warning', item.reason);
  return item;
}

/** This item is ok. @returns it */
export function assertOk(examination: Pick<Examination, 'items'>, name: string): Item {
  const item = itemNamed(examination, name);
  assert.equal(item.status, 'ok', item.reason);
  return item;
}

function itemNamed({ items }: Pick<Examination, 'items'>, name: string): Item {
  const item = items.get(name);
  assert.ok(item, `${name} is not among ${[...items.keys()].join()}`);
  return item;
}
