import type { RelaydConfig } from '../../config/domain.ts';
import { formatHostPort } from '../../config/addresses.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { TokenUse } from '../../lib/membership/verifier.ts';
import { ensureIdentity } from '../../node/identity.ts';
import { readToken } from '../../realm/index.ts';
import type { Authority, NewToken } from '../../realm/index.ts';
import { checkRelays, encodeInvitation } from '../../realm/invitation.ts';
import type { Invitation, InvitedTunnel } from '../../realm/invitation.ts';
import type { CliContext } from '../context.ts';
import { EXIT_CONFIG, EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { plural } from '../format.ts';
import { run } from '../run.ts';
import { setUp } from './first-setup.ts';
import type { SetUpOptions } from './first-setup.ts';
import { when } from './line.ts';
import type { TunnelOption } from './options.ts';
import { isThere } from './planned.ts';
import { qrText } from './qr.ts';
import { invitationRelays } from './relay-addresses.ts';
import { existing } from './share-realm.ts';
import { shellWord } from './shell-word.ts';

export interface InviteOptions extends SetUpOptions {
  peer?: string;
  expires: number;
  maxPeers?: number;
  uses?: TokenUse[];
  note?: string;
  qr?: boolean;
  json?: boolean;
  run?: boolean;
}

/** @throws RelaydError REALM_MISSING, NO_ADDRESS, BAD_REQUEST; PlainFailure when the config lacks something */
export async function invite(context: CliContext, options: InviteOptions): Promise<void> {
  const file = options.config ?? context.io.env['RELAYD_CONFIG'] ?? '';
  if (file !== '' && !(await isThere(file))) {
    await setUp(context, options, file);
  }
  const daemonMissing = await issueLine(context, options, file === '' ? 'the config' : file);
  if (options.run === true) {
    await run(context, options);
  } else if (daemonMissing) {
    context.printError(`Start this machine:    relayd run${withConfig(options)}`);
  }
}

/** @returns whether a daemon would have been asked and is not there */
async function issueLine(context: CliContext, options: InviteOptions, source: string): Promise<boolean> {
  const { config } = await context.loadConfig(options);
  const authority = await authorityIn(config.dataDir);
  checkRealm(config, authority, source, options.realm);
  const peerId = (await ensureIdentity(config.identity.keyFile)).peerId.toString();
  const tunnel = options.tunnel === undefined ? undefined : tunnelOf(config, options.tunnel, peerId, source);
  const { addrs, daemonMissing } = await invitationRelays(context, options, { config, peerId, given: options.relay ?? [] });
  checkRelays(addrs);
  const issued = await authority.issue(wishes(options));
  const invitation = { relays: addrs, realm: authority.name, authority: authority.publicKey, token: readToken(issued.token).bytes, ...(tunnel === undefined ? {} : { tunnel }) };
  show(context, options, invitation, issued);
  return daemonMissing;
}

async function authorityIn(dataDir: string): Promise<Authority> {
  const authority = await existing(dataDir);
  if (authority === undefined) {
    throw new RelaydError('REALM_MISSING', `there is no realm in ${dataDir}: "relayd invite --config relayd.yaml" sets one up where that file does not exist yet, "relayd realm init --name home" makes one for a config that does`);
  }
  return authority;
}

/** The relay of this config must take the tokens of this authority. */
function checkRealm({ realm, role }: RelaydConfig, authority: Authority, source: string, wanted: string | undefined): void {
  if (wanted !== undefined && wanted !== authority.name) {
    throw new PlainFailure([`relayd: the realm of this data directory is ${authority.name}, not ${wanted}; leave --realm out`], EXIT_USAGE);
  }
  if (realm.authority === authority.publicKey && (realm.name ?? authority.name) === authority.name) {
    return;
  }
  const who = role === 'client' ? 'the tunnels of this node' : 'the relay of this config';
  throw new PlainFailure(
    [
      realm.authority === authority.publicKey ? `relayd: ${source} names realm ${String(realm.name)}, and the key in its data directory is that of realm ${authority.name}` : `relayd: ${who} would not take the invitation: ${source} does not name the key of realm ${authority.name}`,
      'set:',
      `  realm: {name: ${authority.name}, authority: "${authority.publicKey}"}`,
      'and then "relayd reload", or restart the daemon',
    ],
    EXIT_CONFIG,
  );
}

function tunnelOf({ tunnels }: RelaydConfig, { name, to, peer }: TunnelOption, self: string, source: string): InvitedTunnel {
  if (peer !== undefined) {
    return { name, peer };
  }
  const exposed = tunnels.expose.find((service) => service.name === name);
  if (exposed === undefined) {
    const wanted = to === undefined ? '127.0.0.1:22' : formatHostPort(to);
    const others = tunnels.expose.length === 0 ? '' : ` (it has ${tunnels.expose.map((service) => service.name).join(', ')})`;
    throw new PlainFailure([`relayd: ${source} exposes no service ${name}${others}; add this to it and restart the daemon, or name the peer that has it, as in --tunnel ${name}@12D3KooW…:`, '  tunnels:', '    expose:', `      - {name: ${name}, to: "${wanted}"}`], EXIT_CONFIG);
  }
  if (to !== undefined && formatHostPort(to) !== formatHostPort(exposed.to)) {
    throw new PlainFailure([`relayd: in ${source} the service ${name} is ${formatHostPort(exposed.to)}, not ${formatHostPort(to)}; "--tunnel ${name}" takes what is there`], EXIT_USAGE);
  }
  return { name, peer: self, port: exposed.to.port };
}

function wishes({ peer, maxPeers, expires, uses, tunnel, note }: InviteOptions): Parameters<Authority['issue']>[0] {
  const own: TokenUse[] = [...(uses ?? ['reserve', 'connect']), ...(tunnel === undefined ? [] : [`tunnel:${tunnel.name}` as const])];
  return { expiresMs: expires, uses: own, ...(peer === undefined ? {} : { peer }), ...(maxPeers === undefined ? {} : { maxPeers }), ...(note === undefined ? {} : { note }) };
}

function show(context: CliContext, options: InviteOptions, invitation: Invitation, { id, expiresAt }: NewToken): void {
  const line = encodeInvitation(invitation);
  const { realm, relays, tunnel } = invitation;
  context.print(options.json === true ? JSON.stringify({ line, tokenId: id, expiresAt, realm, relays, tunnel: tunnel ?? null }) : line);
  if (options.qr === true) {
    context.io.stderr.write(qrText(line));
  }
  context.printError(
    [
      `This line is a key to realm ${realm}${tunnel === undefined ? '' : ` and its service ${tunnel.name}`}: ${guestsText(options)}, until ${when(Date.parse(expiresAt))}. Send it as you would a password.`,
      'On the other machine:  relayd join LINE --config relayd.yaml --run',
      `To take it back:       relayd realm revoke ${id}${withConfig(options)}`,
    ].join('\n'),
  );
}

function guestsText({ peer, maxPeers = 1 }: InviteOptions): string {
  if (peer !== undefined) {
    return `peer ${peer} alone may use it`;
  }
  return `${plural(maxPeers, 'machine')} may use it`;
}

function withConfig({ config }: InviteOptions): string {
  return config === undefined ? '' : ` --config ${shellWord(config)}`;
}
