import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { place } from '../../config/build.ts';
import type { Tree } from '../../config/build.ts';
import type { LoadedConfig } from '../../config/index.ts';
import { formatProblem, loadConfig } from '../../config/index.ts';
import { encode } from '../../config/written.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT_CONFIG, EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';

/**
 * The config as it would be with `tree` as its file, under the flags and variables that there are.
 *
 * @throws PlainFailure with a line for each thing that is wrong
 */
export function planConfig(context: CliContext, options: GlobalOptions, tree: Tree): LoadedConfig {
  const sources = context.sources(options);
  return loaded(loadConfig({ ...sources, file: undefined, inline: tree, env: { ...sources.env, RELAYD_CONFIG: '' } }));
}

/** The config with `settings` (`key.path=value`) above whatever else says so, and `presets` below what the flags say. @throws PlainFailure */
export function configWith(context: CliContext, options: GlobalOptions, settings: readonly string[], presets: readonly string[] = []): LoadedConfig {
  const sources = context.sources(options);
  return loaded(loadConfig({ ...sources, set: [...presets, ...(sources.set ?? []), ...settings] }));
}

function loaded(result: ReturnType<typeof loadConfig>): LoadedConfig {
  if (!result.ok) {
    throw new PlainFailure(result.problems.map(formatProblem), EXIT_CONFIG);
  }
  return result;
}

/** `tree` with what the flags set written into it, in the order of the reference: a later start has the file and not the flags. */
export function withFlags(tree: Tree, { layers }: LoadedConfig): Tree {
  const whole = structuredClone(tree);
  for (const effective of layers.values()) {
    if (effective.layer === 'flags') place(whole, effective.placed.path, encode(effective));
  }
  const order = new Set([...layers.values()].map(({ placed }) => placed.path[0] ?? ''));
  return Object.fromEntries([...order].filter((key) => Object.hasOwn(whole, key)).map((key) => [key, whole[key]]));
}

/** The absolute path of the file that `--config` or RELAYD_CONFIG names, there or not. @throws PlainFailure with exit code 64 when none is named */
export function namedFile(context: CliContext, options: GlobalOptions, purpose: string): string {
  const file = options.config ?? context.io.env['RELAYD_CONFIG'] ?? '';
  if (file === '') {
    throw new PlainFailure([`relayd: ${purpose}: --config relayd.yaml`], EXIT_USAGE);
  }
  return resolve(file);
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
