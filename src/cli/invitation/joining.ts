import { readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { formatHostPort } from '../../config/addresses.ts';
import type { Tree } from '../../config/build.ts';
import { loadConfig } from '../../config/index.ts';
import type { HostPort, RelaydConfig } from '../../config/domain.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/logger.ts';
import { RelayNode } from '../../node/index.ts';
import { ensureIdentity, loadIdentity } from '../../node/identity.ts';
import { formatToken } from '../../realm/index.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT_FAILED } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { run } from '../run.ts';
import { confirm } from './ask.ts';
import { writeToken } from './guest-token.ts';
import { givenLine } from './given-line.ts';
import { checkLine, when } from './line.ts';
import type { CheckedLine } from './line.ts';
import { localPort } from './local-port.ts';
import { configText, writeNewFile } from './new-file.ts';
import { isThere, namedFile, planConfig, withFlags } from './planned.ts';
import { shellWord } from './shell-word.ts';
import { servedAsAnyone, tryTunnel, untilReserved } from './trial.ts';

export interface JoinOptions extends GlobalOptions {
  yes?: boolean;
  run?: boolean;
}

/**
 * Takes an invitation: makes identity, token file and config, of which the config comes last, when the relay has said yes.
 *
 * @throws RelaydError INVITATION_INVALID and others of the trial; PlainFailure when the user says no, or a file is in the way
 */
export async function join(context: CliContext, words: readonly string[], options: JoinOptions): Promise<void> {
  const line = checkLine(await givenLine(context, words), Date.now());
  const file = namedFile(context, options, 'say where to write the config');
  if (await isThere(file)) {
    await assertSame(context, file, line);
    context.printError(`${file} is from this very line already: nothing to do.`);
  } else {
    await joinAnew(context, line, file, options);
  }
  if (options.run === true) {
    await run(context, { ...options, config: file });
  } else {
    context.printError(`Start it:  relayd run --config ${shellWord(file)}`);
  }
}

interface Plan {
  readonly line: CheckedLine;
  readonly file: string;
  readonly tree: Tree;
  readonly listen: HostPort | undefined;
  readonly tokenFile: string;
}

async function joinAnew(context: CliContext, line: CheckedLine, file: string, options: JoinOptions): Promise<void> {
  const base = planConfig(context, options, { role: 'client' }).config;
  await checkPeer(line, base.identity.keyFile);
  const plan = await planOf(line, file, base);
  explain(context, plan, base);
  await confirm(context, options.yes ?? false);
  const { peerId } = await ensureIdentity(base.identity.keyFile);
  const takeBack = await writeToken(plan.tokenFile, line.token);
  try {
    const loaded = planConfig(context, options, plan.tree);
    await tryOut(context, loaded.config, line);
    const comment = [`Made by "relayd join", of invitation ${line.facts.id}. Every key: docs/reference/configuration.md, or "relayd config print --config ${shellWord(file)}".`];
    await writeNewFile(file, configText(comment, withFlags(plan.tree, loaded)));
  } catch (error) {
    await takeBack();
    throw error;
  }
  conclude(context, plan, peerId.toString());
}

/** A line for another machine is of no use here, whatever the relay says. */
async function checkPeer({ facts }: CheckedLine, keyFile: string): Promise<void> {
  if (facts.peer === undefined) {
    return;
  }
  const own = (await isThere(keyFile)) ? (await loadIdentity(keyFile)).peerId.toString() : undefined;
  if (own !== facts.peer) {
    const here = own === undefined ? 'this machine has no peer id yet ("relayd key new" makes one)' : `this machine is ${own}`;
    throw new RelaydError('INVITATION_INVALID', `the invitation is for peer ${facts.peer} alone, and ${here}; ask for one for this machine`, { data: { problem: 'token wrong peer' } });
  }
}

async function planOf(line: CheckedLine, file: string, { dataDir }: RelaydConfig): Promise<Plan> {
  const { relays, realm, authority, facts, tunnel } = line;
  const tokenFile = joinPath(dataDir, 'realm', `token-${facts.id}`);
  const listen = tunnel === undefined ? undefined : await localPort(tunnel);
  const tree = {
    role: 'client',
    dataDir,
    client: { relays: [...relays] },
    realm: { name: realm, authority, tokenFile },
    ...(tunnel === undefined || listen === undefined ? {} : { tunnels: { forward: [{ listen: formatHostPort(listen), peer: tunnel.peer, name: tunnel.name }] } }),
  };
  return { line, file, tree, listen, tokenFile };
}

function explain(context: CliContext, { line, file, listen, tokenFile }: Plan, { identity, dataDir }: RelaydConfig): void {
  const { realm, relays, facts, tunnel } = line;
  const rows = [
    `joins realm ${realm} through ${relays.join(' and ')}, until ${when(facts.expiresAtWall)}`,
    `writes ${file}, ${tokenFile}, and this machine's identity ${identity.keyFile} where there is none`,
    `keeps its other state in ${dataDir}`,
    ...(listen === undefined || tunnel === undefined ? [] : [`opens port ${formatHostPort(listen)} of this machine, which leads to the service ${tunnel.name} of peer ${tunnel.peer}`]),
  ];
  context.printError(['The invitation is whole. To take it up, relayd', ...rows.map((row) => `  - ${row}`)].join('\n'));
}

/** With the node that will run later, as far as it goes. A tunnel whose other end is away is no reason not to join. */
async function tryOut(context: CliContext, config: RelaydConfig, line: CheckedLine): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  const node = new RelayNode(config, { log: silentLogger });
  context.io.signals.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  context.printError('Trying it, for up to 30 s …');
  try {
    await node.start();
    await tryNode(context, node, line, stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? new PlainFailure(['relayd: stopped before it was done: there is no config'], EXIT_FAILED) : error;
  } finally {
    context.io.signals.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await node.stop();
  }
}

async function tryNode(context: CliContext, node: RelayNode, { facts, tunnel }: CheckedLine, signal: AbortSignal): Promise<void> {
  if (facts.uses.includes('reserve')) {
    const relay = await untilReserved(node, signal);
    const problem = servedAsAnyone(node);
    if (problem !== undefined) throw problem;
    context.printError(`relay ${relay} took this machine in`);
  }
  if (tunnel !== undefined) {
    await tryItsTunnel(context, node, signal);
  }
  signal.throwIfAborted();
}

async function tryItsTunnel(context: CliContext, node: RelayNode, signal: AbortSignal): Promise<void> {
  try {
    await tryTunnel(node, signal);
    context.printError('the service answers');
  } catch (error) {
    if (signal.aborted || (error instanceof RelaydError && error.code === 'INVITATION_INVALID')) throw error;
    context.printError(`relayd: warning: ${errorMessage(error)}; joining all the same`);
  }
}

/** @throws PlainFailure when the file is of something else */
async function assertSame(context: CliContext, file: string, { token, realm }: CheckedLine): Promise<void> {
  const result = loadConfig({ ...context.sources({}), file });
  const { tokenFile } = result.ok ? result.config.realm : { tokenFile: undefined };
  const text = tokenFile === undefined ? undefined : await readFile(tokenFile, 'utf8').catch(() => undefined);
  if (text?.trim() !== formatToken(token)) {
    throw new PlainFailure([`relayd: ${file} exists and is not from this line; nothing was changed. Name another file with --config, and with --set dataDir=… another folder if both are to run; or move ${file} away to have realm ${realm} in its place`], EXIT_FAILED);
  }
}

function conclude(context: CliContext, { line, file, listen }: Plan, peerId: string): void {
  const { tunnel, realm } = line;
  const rows = [`Joined realm ${realm} as peer ${peerId}; written: ${file}`];
  if (tunnel !== undefined && listen !== undefined) {
    rows.push(tunnel.name === 'ssh' ? `While relayd runs:  ssh -p ${listen.port} ${listen.host}` : `While relayd runs, the service ${tunnel.name} is at ${formatHostPort(listen)}`);
  }
  context.printError(rows.join('\n'));
}
