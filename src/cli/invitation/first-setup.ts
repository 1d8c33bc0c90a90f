import type { Tree } from '../../config/build.ts';
import type { HostPort, RelaydConfig } from '../../config/domain.ts';
import { formatHostPort } from '../../config/addresses.ts';
import { ensureIdentity } from '../../node/identity.ts';
import { createAuthority } from '../../realm/index.ts';
import type { Authority } from '../../realm/index.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { confirm } from './ask.ts';
import { configText, writeNewFile } from './new-file.ts';
import type { TunnelOption } from './options.ts';
import { planConfig, withFlags } from './planned.ts';
import { ownAddrs, reachable } from './relay-addresses.ts';
import { existing } from './share-realm.ts';
import { shellWord } from './shell-word.ts';

export interface SetUpOptions extends GlobalOptions {
  tunnel?: TunnelOption;
  relay?: string[];
  realm?: string;
  yes?: boolean;
}

const DEFAULT_REALM = 'home';

/**
 * Makes all that an invitation needs on a machine that has nothing yet: identity, realm and config.
 *
 * @throws PlainFailure when the user says no, or cannot be asked; RelaydError NO_ADDRESS when guests could not reach what would be made
 */
export async function setUp(context: CliContext, options: SetUpOptions, file: string): Promise<void> {
  const plan = planOf(options);
  const { config } = planConfig(context, options, plan);
  const addrs = addressesOf(config);
  const known = await existing(config.dataDir);
  checkRealmName(known, options.realm);
  const realm = known?.name ?? options.realm ?? DEFAULT_REALM;
  explain(context, { config, file, realm, addrs, tunnel: options.tunnel });
  await confirm(context, options.yes ?? false);
  await ensureIdentity(config.identity.keyFile);
  const authority = known ?? (await createAuthority(config.dataDir, realm));
  const tree = { ...plan, dataDir: config.dataDir, realm: { name: authority.name, authority: authority.publicKey } };
  const comment = [`Made by "relayd invite". Every key: docs/reference/configuration.md, or "relayd config print --config ${shellWord(file)}".`];
  await writeNewFile(file, configText(comment, withFlags(tree, planConfig(context, options, tree))));
  context.printError(`written: ${file}`);
}

/** A relay for members only; where others' relays are named, a client of theirs. */
function planOf({ relay = [], tunnel }: SetUpOptions): Tree {
  const own = relay.filter((addr) => !addr.includes('/p2p/'));
  const others = relay.filter((addr) => addr.includes('/p2p/'));
  if (own.length > 0 && others.length > 0) {
    throw new PlainFailure(['relayd: --relay names both this machine (an address without /p2p/) and relays of others; one or the other'], EXIT_USAGE);
  }
  return {
    role: others.length > 0 ? 'client' : 'both',
    ...(own.length > 0 ? { network: { announce: own } } : {}),
    ...(others.length > 0 ? { client: { relays: others } } : { relay: { open: false } }),
    ...(tunnel === undefined ? {} : { tunnels: { expose: [{ name: tunnel.name, to: serviceOf(tunnel), allow: [] }] } }),
  };
}

function serviceOf({ name, to }: TunnelOption): string {
  if (to === undefined) {
    throw new PlainFailure([`relayd: --tunnel ${name}: say where the service is: --tunnel ${name}=127.0.0.1:22`], EXIT_USAGE);
  }
  return formatHostPort(to);
}

/** Before anything is written: a relay that nobody finds is of no use. */
function addressesOf(config: RelaydConfig): string[] {
  return config.role === 'client' ? [...config.client.relays] : reachable(ownAddrs(config).map(String), config);
}

function checkRealmName(known: Authority | undefined, wanted: string | undefined): void {
  if (known !== undefined && wanted !== undefined && known.name !== wanted) {
    throw new PlainFailure([`relayd: the data directory holds the key of realm ${known.name} already; leave --realm out, or set another dataDir for realm ${wanted}`], EXIT_USAGE);
  }
}

interface Facts {
  config: RelaydConfig;
  file: string;
  realm: string;
  addrs: readonly string[];
  tunnel: TunnelOption | undefined;
}

function explain(context: CliContext, { config, file, realm, addrs, tunnel }: Facts): void {
  const isClient = config.role === 'client';
  const rows = [
    ['config', file],
    ['data', `${config.dataDir} (this node's identity, and the key that signs invitations: keep both to yourself)`],
    ['realm', isClient ? realm : `${realm}: only whom you invite may use this relay`],
    isClient ? ['relays', addrs.join(' ')] : ['relay', `guests come to ${addrs.join(' or ')}: let that port through the firewall`],
    ...(tunnel?.to === undefined ? [] : [['tunnel', `${tunnel.name}: whom you invite to it reaches ${hostPortText(tunnel.to)}`]]),
  ];
  context.printError([`There is no ${file} yet. This will be made:`, ...rows.map(([what = '', text = '']) => `  ${what.padEnd(7)} ${text}`)].join('\n'));
}

function hostPortText(to: HostPort): string {
  return `${formatHostPort(to)}, as this machine sees it`;
}
