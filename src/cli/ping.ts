import { Option } from 'commander';
import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PingResult } from '../lib/contracts.ts';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import type { AdminClient } from './admin-client.ts';
import { durationMs, peerOrAddress, wholeNumber } from './arguments.ts';
import type { CliContext } from './context.ts';
import { addDaemonOptions, findDaemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { EXIT_CODES_HELP, EXIT_FAILED } from './exit-codes.ts';
import { millis, text } from './format.ts';
import { addWatchOption, show } from './watch.ts';
import type { WatchOptions } from './watch.ts';

interface PingOptions extends DaemonOptions, WatchOptions {
  count: number;
  fresh?: boolean;
  interval: number;
}

const MAX_COUNT = 100;
/** The daemon's own deadline for a dial is 30 s, and 5 s for each echo; this one is for a daemon that hangs. */
const DIAL_TIMEOUT_MS = 35_000;
const ECHO_TIMEOUT_MS = 5_000;

const HELP = `
PEER is a peer id, which the daemon looks for in what it knows (open connections, known addresses, its relays), or a full
address: /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW… or …/p2p/RELAY/p2p-circuit/p2p/PEER

With --json there is one line, when all is done, and no pause between the echoes:
  {"peer", "path": "direct" or "relay", "via": the relay, "dialMs", "rttMs": [...], "error": only if it failed,
   "upgrade": whether a direct connection takes the circuit's place ("none", "trying", "direct", "failed"), "upgradeReason": only if it failed}

With --watch it goes on until Ctrl-C, whatever --count is, also while the peer cannot be reached; the exit code is 1 when nothing came back.

Examples:
  relayd ping 12D3KooW…
  relayd ping 12D3KooW… --fresh --count 10     drop the connection first: the time to dial is the real one
  relayd ping 12D3KooW… --json | jq .path
  relayd ping 12D3KooW… --watch                is it still there?

${EXIT_CODES_HELP}`;

export function addPingCommand(program: Command, context: CliContext): void {
  const command = program.command('ping').argument('<peer>', 'peer id, or a full address', peerOrAddress).description('dial a peer and measure the round trip');
  addWatchOption(addDaemonOptions(command), 'echo after echo until Ctrl-C; with --json a whole ping every 2 s, one line each')
    .option('-n, --count <n>', `how many echoes, 1 to ${MAX_COUNT}`, wholeNumber(1, MAX_COUNT), 4)
    .option('--fresh', 'drop the connection to the peer first, so that dialling is in the time')
    .addOption(new Option('-i, --interval <duration>', 'pause between echoes').argParser(durationMs).default(1_000, '1s'))
    .addHelpText('after', HELP)
    .action((peer: string) => ping(context, peer, command.optsWithGlobals<PingOptions>()));
}

async function ping(context: CliContext, peer: string, options: PingOptions): Promise<void> {
  const daemon = await findDaemon(context, options);
  const failed = options.json ? await pingForMachines(context, daemon, peer, options) : await pingForPeople(context, daemon, peer, options);
  if (failed) context.exitCode = EXIT_FAILED;
}

async function pingForMachines(context: CliContext, daemon: AdminClient, peer: string, { count, fresh = false, watch = false }: PingOptions): Promise<boolean> {
  let reached = false;
  const draw = async (signal?: AbortSignal): Promise<string> => {
    const result = await askOnce(daemon, { peer, count, fresh }, signal);
    reached ||= result.error === undefined;
    return JSON.stringify(result);
  };
  if (watch) await show(context, true, draw);
  else context.print(await draw());
  return !reached;
}

/** What could not be dialled is a result like any other; that the daemon is not there, or refuses us, is not. */
async function askOnce(daemon: AdminClient, request: { peer: string; count: number; fresh: boolean }, signal?: AbortSignal): Promise<PingResult> {
  try {
    const body = await daemon.post('/api/v1/ping', request, { signal, timeoutMs: DIAL_TIMEOUT_MS + request.count * ECHO_TIMEOUT_MS });
    return JSON.parse(body) as PingResult;
  } catch (error) {
    if (error instanceof RelaydError && error.httpStatus !== 502 && error.code !== 'TIMEOUT') throw error;
    signal?.throwIfAborted();
    return { peer: request.peer, path: null, via: null, dialMs: null, rttMs: [], error: errorMessage(error) };
  }
}

/** One request an echo, so that each line appears when its echo has come back. */
async function pingForPeople(context: CliContext, daemon: AdminClient, peer: string, options: PingOptions): Promise<boolean> {
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  context.io.signals.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  const watching = options.watch ?? false;
  const rttMs: number[] = [];
  let sent = 0;
  let last: PingResult | undefined;
  try {
    for (const end = watching ? Infinity : options.count; sent < end; sent++) {
      if (sent > 0) await sleep(options.interval, undefined, { signal: stop.signal });
      const result = await askOnce(daemon, { peer, count: 1, fresh: sent === 0 && (options.fresh ?? false) }, stop.signal);
      if (sent === 0 && result.path === null && !watching) {
        context.printError(firstLine(result));
        return true;
      }
      if (sent === 0) context.print(firstLine(result));
      context.print(echoLine(sent + 1, result));
      if (sent > 0 && result.path !== last?.path && result.path !== null) context.print(pathLine(result));
      last = result;
      rttMs.push(...result.rttMs);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    context.io.signals.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
  if (last?.upgrade === 'failed') context.print(`no direct connection: ${text(last.upgradeReason, { wide: false })}`);
  context.print(summary(sent, rttMs));
  return watching ? rttMs.length === 0 : rttMs.length < sent || sent === 0;
}

function firstLine({ peer, path, via, dialMs, error }: PingResult): string {
  const name = text(peer, { wide: true });
  if (path === null) {
    return `PING ${name}: not reachable: ${text(error, { wide: false })}`;
  }
  return `PING ${name}: connected ${how({ path, via })} in ${millis(dialMs)}`;
}

/** A circuit gives way to a direct connection while echoes go on. */
function pathLine(result: PingResult): string {
  return `the echoes go ${how(result)} now`;
}

function how({ path, via }: Pick<PingResult, 'path' | 'via'>): string {
  return path === 'relay' ? `through relay ${text(via, { wide: true })}` : 'directly';
}

function echoLine(number: number, { rttMs, error }: PingResult): string {
  return rttMs[0] === undefined ? `${number}: no echo: ${text(error, { wide: false })}` : `${number}: ${millis(rttMs[0])}`;
}

function summary(sent: number, rttMs: readonly number[]): string {
  const loss = sent === 0 ? 0 : Math.round((1 - rttMs.length / sent) * 100);
  const head = `--- ${sent} sent, ${rttMs.length} came back, ${loss}% lost`;
  if (rttMs.length === 0) {
    return head;
  }
  const mean = rttMs.reduce((sum, rtt) => sum + rtt, 0) / rttMs.length;
  return `${head}; round trip min ${millis(Math.min(...rttMs))}, mean ${millis(mean)}, max ${millis(Math.max(...rttMs))}`;
}
