import { join } from 'node:path';
import { formatHostPort } from '../../config/addresses.ts';
import type { HostPort } from '../../config/domain.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { InvitedTunnel } from '../../realm/invitation.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { writeToken } from './guest-token.ts';
import { givenLine } from './given-line.ts';
import { checkLine, when } from './line.ts';
import type { CheckedLine } from './line.ts';
import { localPort } from './local-port.ts';
import { configWith } from './planned.ts';
import { NO_DISCOVERY, SIDE_SETTINGS } from './side-config.ts';
import { runSideNode } from './side-node.ts';
import { tryTunnel } from './trial.ts';

export interface OpenOptions extends GlobalOptions {
  listen?: HostPort;
}

/** A relay that serves anyone knows nothing of a share's token, and says so: no matter for the person who opens the line. */
const QUIET = ['log.level=error'];

/** @throws RelaydError INVITATION_INVALID, and others of the first connection */
export async function open(context: CliContext, words: readonly string[], options: OpenOptions): Promise<void> {
  const line = checkLine(await givenLine(context, words), Date.now());
  const { tunnel } = line;
  if (tunnel === undefined) {
    throw new RelaydError('INVITATION_INVALID', 'there is no service in this line; "relayd join LINE --config relayd.yaml" takes it up', { data: { problem: 'no service' } });
  }
  // The line's own folder: the same machine with the same line is the same guest again.
  const dataDir = join(configWith(context, options, SIDE_SETTINGS).config.dataDir, `open-${line.facts.id}`);
  const tokenFile = join(dataDir, 'token');
  await writeToken(tokenFile, line.token);
  const listen = options.listen ?? (await localPort(tunnel));
  const { config } = configWith(context, options, settingsFor(line, tunnel, { dataDir, tokenFile, listen }), QUIET);
  context.printError(`Opening ${tunnel.name} of peer ${tunnel.peer}; the line is good until ${when(line.facts.expiresAtWall)}`);
  context.exitCode = await runSideNode(context, config, async (node, signal) => {
    await tryTunnel(node, signal);
    context.print(formatHostPort({ host: listen.host, port: node.forwardPorts[0] ?? listen.port }));
    context.printError('Ready: connect there. Ctrl-C ends it.');
  });
}

function settingsFor({ relays, realm, authority }: CheckedLine, { name, peer }: InvitedTunnel, { dataDir, tokenFile, listen }: { dataDir: string; tokenFile: string; listen: HostPort }): string[] {
  return [
    ...SIDE_SETTINGS,
    ...NO_DISCOVERY,
    `dataDir=${JSON.stringify(dataDir)}`,
    `client.relays=${JSON.stringify(relays)}`,
    `realm=${JSON.stringify({ name: realm, authority, tokenFile })}`,
    `tunnels=${JSON.stringify({ expose: [], forward: [{ listen: formatHostPort(listen), peer, name }] })}`,
  ];
}
