import { resolve } from 'node:path';
import { RelaydError } from '../lib/errors.ts';
import { buildConfig } from './build.ts';
import { defaultDataDir } from './data-dir.ts';
import type { Profile, RelaydConfig, Role } from './domain.ts';
import { emptyReading, joinReadings, readTree } from './layer.ts';
import type { Reading, Setting, Source } from './layer.ts';
import { defaultSettings, merge } from './merge.ts';
import type { EffectiveConfig } from './merge.ts';
import { fileProblems } from './named-files.ts';
import { formatProblem } from './problem.ts';
import type { ConfigProblem } from './problem.ts';
import { PROFILES } from './profiles.ts';
import { ruleProblems } from './rules.ts';
import { CONFIG_VARIABLE, readEnvironment, readFlags } from './texts.ts';
import { readFile } from './yaml-file.ts';

export interface ConfigSources {
  /** The config file; without it `RELAYD_CONFIG` of `env` names it, and without that there is none. */
  file?: string | undefined;
  profile?: string | undefined;
  role?: string | undefined;
  /** `key.path=value` each. */
  set?: readonly string[] | undefined;
  /** `RELAYD_…` variables count only where this is given. */
  env?: NodeJS.ProcessEnv | undefined;
  /** The same object as the YAML file holds; it stands in the file's place in the order of layers. */
  inline?: unknown;
  /** In place of the default of `dataDir`. */
  defaultDataDir?: string | undefined;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly config: RelaydConfig;
  /** Every key with its value and its origin, in the order of the schema. */
  readonly layers: EffectiveConfig;
  /** The absolute path of the file that was read. */
  readonly file: string | undefined;
}

export type LoadResult = LoadedConfig | { readonly ok: false; readonly problems: ConfigProblem[] };

/**
 * Reads every layer, checks all of it, and merges: flags, then environment, then file, then profile, then
 * defaults. Reads files, changes nothing, never throws for what an operator can get wrong.
 */
export function loadConfig(sources: ConfigSources = {}): LoadResult {
  const env = sources.env ?? {};
  const folder = process.cwd();
  const file = sources.file ?? (env[CONFIG_VARIABLE] === '' ? undefined : env[CONFIG_VARIABLE]);
  const given = joinReadings([readFlags(sources, folder), readEnvironment(env, folder), readInline(sources.inline, folder), file === undefined ? emptyReading() : readFile(file)]);
  const dirEnv = sources.env ?? process.env;
  const settings = [...given.settings, ...profileSettings(given.settings), ...defaultSettings(sources.defaultDataDir ?? defaultDataDir(dirEnv), folder)];
  const layers = merge(settings, dirEnv);
  const config = buildConfig(layers);
  const problems = [...given.problems, ...ruleProblems(config, layers, new Set(given.invalid)), ...fileProblems(layers)];
  return problems.length > 0 ? { ok: false, problems: inOrder(problems) } : { ok: true, config, layers, file: file === undefined ? undefined : resolve(file) };
}

function readInline(inline: unknown, folder: string): Reading {
  const source: Source = { kind: 'file', folder, place: () => ({ source: 'config object' }), origin: () => 'config object' };
  return readTree(inline, source);
}

/** The profile's keys for the role: both chosen by the strongest layer that names them. */
function profileSettings(given: readonly Setting[]): Setting[] {
  const profile = (chosen(given, 'profile') ?? 'tier1') as Profile;
  const role = (chosen(given, 'role') ?? 'relay') as Role;
  return readProfile(profile, role).settings;
}

/** A profile as a layer. Its problems would be ours; a test keeps them at none. */
export function readProfile(profile: Profile, role: Role): Reading {
  const source: Source = { kind: 'profile', folder: process.cwd(), place: () => ({ source: `profile ${profile}` }), origin: () => `profile ${profile}` };
  return readTree(PROFILES[profile][role], source);
}

function chosen(given: readonly Setting[], name: 'profile' | 'role'): unknown {
  return given.find((setting) => setting.placed.name === name)?.value;
}

/** Those of one source together, a file's from top to bottom. */
function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const sources = [...new Set(problems.map((problem) => problem.source))];
  const rank = (problem: ConfigProblem): number[] => [sources.indexOf(problem.source), problem.line ?? 0, problem.column ?? 0];
  return problems.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left.map((value, index) => value - (right[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
  });
}

/** @throws RelaydError CONFIG_INVALID; `data.problems` holds each */
export function assertConfig(result: LoadResult): RelaydConfig {
  if (result.ok) {
    return result.config;
  }
  const { problems } = result;
  throw new RelaydError('CONFIG_INVALID', problems.map(formatProblem).join('\n'), { data: { problems } });
}
