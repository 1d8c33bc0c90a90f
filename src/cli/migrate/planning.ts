import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { formatProblem, loadConfig } from '../../config/index.ts';
import type { ConfigProblem, LoadedConfig } from '../../config/index.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Identity } from '../../node/identity.ts';
import { EXIT_CONFIG } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { OldFile } from './old-file.ts';
import { readOldIdentity } from './old-identity.ts';
import type { Plan, Setting } from './plan.ts';
import { translate } from './translate.ts';

export interface PlanningOptions {
  readonly oldFile: string;
  readonly config: string;
  readonly identity?: string;
  readonly swarmKey?: string;
  readonly dataDir?: string;
  readonly env: NodeJS.ProcessEnv;
}

/** All that is to be written; nothing is yet. */
export interface PlannedMigration {
  readonly plan: Plan;
  readonly identity: Identity | undefined;
  readonly configFile: string;
  readonly configText: string;
  readonly keyFile: string;
}

/** @throws PlainFailure, RelaydError with what is wrong in the old files, by line and field */
export async function planMigration(text: string, options: PlanningOptions): Promise<PlannedMigration> {
  const old = new OldFile(text, options.oldFile);
  // RELAYD_… variables change a run, not a file.
  const env = Object.fromEntries(Object.entries(options.env).filter(([name]) => !name.startsWith('RELAYD_')));
  const dataDir = options.dataDir === undefined ? defaultsOf(env).config.dataDir : resolve(options.dataDir);
  const plan = translate(old, { dataDir, swarmKey: options.swarmKey });
  old.check();
  const values = tree(plan.settings);
  const { config } = checkedConfig(values, env, old, plan);
  await refuseOldFiles(resolve(options.config), config.identity.keyFile);
  const identity = options.identity === undefined ? undefined : await readOldIdentity(options.identity);
  return { plan, identity, configFile: resolve(options.config), configText: `${HEAD}${stringify(values)}`, keyFile: config.identity.keyFile };
}

/** Said before anything is written. The daemon would start as the peer whose key lies there, whether one is given or not. */
async function refuseOldFiles(configFile: string, keyFile: string): Promise<void> {
  if (await exists(configFile)) {
    throw new RelaydError('FILE_UNWRITABLE', `--config: ${configFile} is already there and is never overwritten; name another file`);
  }
  if (await exists(keyFile)) {
    throw new RelaydError('IDENTITY_INVALID', `${keyFile} is already there and is never replaced; move it away first, or name another --data-dir`);
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(() => true, () => false);
}

const HEAD = `# Made by relayd migrate from the config of libp2p-relay-daemon.
# Every key is explained by docs/reference/configuration.md; relayd config check says whether a change is right.

`;

function defaultsOf(env: NodeJS.ProcessEnv): LoadedConfig {
  return loaded(loadConfig({ inline: {}, env }));
}

function loaded(result: ReturnType<typeof loadConfig>): LoadedConfig {
  if (!result.ok) {
    throw new PlainFailure(result.problems.map(formatProblem), EXIT_CONFIG);
  }
  return result;
}

/** `{network: {listen: […]}}` of `network.listen`. */
function tree(settings: readonly Setting[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { key, value } of settings) {
    const path = key.split('.');
    const last = path.pop() ?? key;
    let section = root;
    for (const name of path) {
      section = (section[name] ??= {}) as Record<string, unknown>;
    }
    section[last] = value;
  }
  return root;
}

/** What the new config's rules say against it is said of the old field that it came from. */
function checkedConfig(values: Record<string, unknown>, env: NodeJS.ProcessEnv, old: OldFile, plan: Plan): LoadedConfig {
  const result = loadConfig({ inline: values, env });
  for (const problem of result.ok ? [] : result.problems) {
    const setting = plan.settings.find(({ key, from }) => from !== '' && isAt(problem, key));
    if (setting !== undefined) {
      old.reject(setting.from, `${problem.problem} (${problem.key})`, problem.expected);
    }
  }
  old.check();
  return loaded(result);
}

function isAt(problem: ConfigProblem, key: string): boolean {
  return problem.key === key || problem.key.startsWith(`${key}[`);
}
