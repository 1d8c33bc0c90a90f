import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAdminFile } from '../admin/index.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import { AdminClient } from './admin-client.ts';
import type { DaemonAddress } from './admin-client.ts';
import type { CliContext, GlobalOptions } from './context.ts';

/** The options of every command that talks to a running daemon. */
export interface DaemonOptions extends GlobalOptions {
  admin?: string;
  tokenFile?: string;
  json?: boolean;
}

export function addDaemonOptions(command: Command, json = "the daemon's JSON, unchanged"): Command {
  return command
    .option('--admin <url>', 'admin address, http://host:port or unix:/path (default: what the daemon of this config wrote to admin.json in its data directory)', parseAdminUrl)
    .option('--token-file <file>', "file with the daemon's token (default: the one in admin.json)")
    .option('--json', json);
}

function parseAdminUrl(value: string): string {
  const web = URL.canParse(value) && ['http:', 'https:'].includes(new URL(value).protocol);
  if (!web && !value.startsWith('unix:/')) {
    throw new InvalidArgumentError('It needs the form http://host:port or unix:/path.');
  }
  return value;
}

/** @throws RelaydError DAEMON_UNREACHABLE, FILE_UNREADABLE; PlainFailure when the config is wrong */
export async function findDaemon(context: CliContext, options: DaemonOptions): Promise<AdminClient> {
  const address = options.admin === undefined ? await addressInDataDir(context, options) : await givenAddress(context, options, options.admin);
  const token = options.tokenFile === undefined ? address.token : await readToken(options.tokenFile);
  return new AdminClient({ ...address, token });
}

/** The token of the data directory is used only for the very daemon that wrote it: nobody else is to learn it. */
async function givenAddress(context: CliContext, options: DaemonOptions, url: string): Promise<DaemonAddress> {
  const known = options.tokenFile === undefined ? await addressInDataDir(context, options).catch(() => undefined) : undefined;
  return { url, token: known?.url === url.replace(/\/$/, '') ? known.token : undefined, from: '--admin' };
}

async function addressInDataDir(context: CliContext, options: GlobalOptions): Promise<DaemonAddress> {
  const { dataDir } = (await context.loadConfig(options)).config;
  const path = join(dataDir, 'admin.json');
  const file = await readAdminFile(dataDir).catch((error: unknown) => {
    throw new RelaydError('DAEMON_UNREACHABLE', `${errorMessage(error)}; run this as the user that runs the daemon, or give --admin URL and --token-file F`, { cause: error });
  });
  if (file === undefined) {
    throw new RelaydError('DAEMON_UNREACHABLE', `no daemon runs with this config: there is no ${path}; "relayd run" starts one; --config F (the one it runs with) or --admin URL names another`);
  }
  return { url: file.url, token: file.token, from: `from ${path}, written by process ${file.pid}${isRunning(file.pid) ? '' : ', which is gone'}` };
}

/** Signal 0 asks only whether the process is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new RelaydError('FILE_UNREADABLE', `--token-file: cannot read ${file}: ${errorMessage(error)}`, { cause: error });
  }
}
