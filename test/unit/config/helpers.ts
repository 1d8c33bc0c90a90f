import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { formatProblem, loadConfig } from '../../../src/config/index.ts';
import type { ConfigSources, LoadedConfig } from '../../../src/config/index.ts';

/** Valid peer ids whose keys nobody has. */
export const PEERS = [
  '12D3KooWFiT7Vuujg2yfJ4XhPPhxbfYw3u6HuNf199gqGqaYL43z',
  '12D3KooWP2jUgC8SySUki6NfrF8tM7JdPcWCuSncNoiMKNtfF2NF',
  '12D3KooWQoPhScRMowAmbwB8H3oXSiHEdxxKcMed945zV9vsCXL7',
  'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
] as const;

/** Nothing of the machine that runs the tests shows in a result. */
const NEUTRAL = { defaultDataDir: '/var/lib/relayd' };

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'relayd-config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** For its owner alone, as files with secrets must be. */
export function fileIn(path: string, name: string, text: string | Uint8Array): string {
  const file = join(path, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

export function load(sources: ConfigSources): LoadedConfig {
  const result = loadConfig({ ...NEUTRAL, ...sources });
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result;
}

/** Every error, in one line each. */
export function errorsOf(sources: ConfigSources): string[] {
  const result = loadConfig({ ...NEUTRAL, ...sources });
  return result.ok ? [] : result.problems.map(formatProblem);
}

/** The errors of a file with this text; the file is called `F` in them. */
export function fileErrors(t: TestContext, text: string | Uint8Array, more: ConfigSources = {}): string[] {
  const path = folder(t);
  const file = fileIn(path, 'relayd.yaml', text);
  return errorsOf({ ...more, file }).map((line) => line.replaceAll(file, 'F').replaceAll(path, 'DIR'));
}
