import { Option } from 'commander';
import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelaydError } from '../lib/errors.ts';
import type { AdminClient } from './admin-client.ts';
import { durationMs } from './arguments.ts';
import type { CliContext } from './context.ts';
import { addDaemonOptions, findDaemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { remaining } from './status.ts';

interface DrainOptions extends DaemonOptions {
  wait: boolean;
  timeout: number;
}

interface Progress {
  uptimeSeconds: number;
  reservations: number;
  circuits: number;
  /** Clients that have been told and have not moved yet. */
  leaving: number;
}

const POLL_MS = 500;
const DEFAULT_TIMEOUT_MS = 600_000;

const HELP = `
The daemon takes nothing new, tells its clients to move to other relays, and lets them and its circuits take up to
drain.timeout of its config; then it stops. A service manager may start it again: systemd does so unless it is
stopped with "systemctl stop", which drains as well.

Examples:
  relayd drain
  relayd drain --no-wait
  relayd drain --timeout 2m        give up waiting after 2 minutes (the drain goes on), exit 1

${EXIT_CODES_HELP}`;

export function addDrainCommand(program: Command, context: CliContext): void {
  const command = program.command('drain').description('stop the daemon once its clients have moved and its circuits have ended');
  addDaemonOptions(command)
    .option('--no-wait', 'return as soon as the drain has begun')
    .addOption(new Option('--timeout <duration>', 'how long to wait for the daemon to be gone').argParser(durationMs).default(DEFAULT_TIMEOUT_MS, '10m'))
    .addHelpText('after', HELP)
    .action(() => drain(context, command.optsWithGlobals<DrainOptions>()));
}

async function drain(context: CliContext, options: DrainOptions): Promise<void> {
  const daemon = await findDaemon(context, options);
  const before = await progressOf(daemon);
  const answer = await daemon.post('/api/v1/drain', undefined);
  const { circuits, reservations } = JSON.parse(answer) as { circuits: number; reservations: number };
  const say = (line: string): void => (options.json ? undefined : context.print(line));
  if (options.json) context.print(answer);
  say(`draining: ${remaining({ circuits, reservations })} left`);
  if (options.wait) {
    await untilGone(daemon, { ...before, circuits, reservations }, options.timeout, say);
    say('drained; the daemon has stopped');
  }
}

/** @throws RelaydError TIMEOUT */
async function untilGone(daemon: AdminClient, before: Progress, timeoutMs: number, say: (line: string) => void): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = before;
  while (performance.now() < deadline) {
    await sleep(POLL_MS);
    const now = await progressOf(daemon).catch((error: unknown) => {
      if (error instanceof RelaydError && error.code === 'DAEMON_UNREACHABLE') return undefined;
      throw error;
    });
    // A younger daemon at the same address is the next one, which a service manager has started.
    if (now === undefined || now.uptimeSeconds < last.uptimeSeconds) return;
    if (now.circuits !== last.circuits || now.leaving !== last.leaving) say(`draining: ${remaining(now)} left`);
    last = now;
  }
  throw new RelaydError('TIMEOUT', `after ${timeoutMs / 1000} s the daemon still drains, with ${remaining(last)} left; it goes on without us`);
}

async function progressOf(daemon: AdminClient): Promise<Progress> {
  const { uptimeSeconds, relay } = JSON.parse(await daemon.get('/api/v1/status')) as { uptimeSeconds?: number; relay?: { reservations: { count: number }; circuits: { count: number }; leaving?: number } };
  return { uptimeSeconds: uptimeSeconds ?? 0, reservations: relay?.reservations.count ?? 0, circuits: relay?.circuits.count ?? 0, leaving: relay?.leaving ?? 0 };
}
