import { connect } from 'node:net';
import { join } from 'node:path';
import type { RelaydConfig } from '../../config/domain.ts';
import { makeDir } from '../../lib/make-dir.ts';
import { ensureIdentity } from '../../node/identity.ts';
import type { RelayNode } from '../../node/index.ts';
import type { TokenFacts } from '../../realm/index.ts';
import { encodeInvitation } from '../../realm/invitation.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { plural } from '../format.ts';
import { when } from './line.ts';
import { configWith } from './planned.ts';
import { qrText } from './qr.ts';
import { MAX_RELAYS, heldRelays } from './relay-addresses.ts';
import { guestToken, memberTokenFile, shareRealm } from './share-realm.ts';
import type { ShareRealm } from './share-realm.ts';
import { NO_DISCOVERY, SIDE_SETTINGS } from './side-config.ts';
import { runSideNode } from './side-node.ts';
import { untilReserved } from './trial.ts';

export interface ShareOptions extends GlobalOptions {
  name?: string;
  relay?: string[];
  maxPeers: number;
  expires: number;
  qr?: boolean;
}

const LOCALHOST = '127.0.0.1';

/** One relay may go away while the other holds the share. */
const DESIRED_RELAYS = 2;

/** A share as it is about to run. */
interface Plan {
  readonly port: number;
  readonly service: string;
  readonly given: readonly string[];
  readonly dataDir: string;
  /** The user's own. */
  readonly base: RelaydConfig;
  readonly realm: ShareRealm;
  readonly peer: string;
  /** The share's own token, for its relays. */
  readonly tokenFile: string | undefined;
  /** What the guests get. */
  readonly guests: TokenFacts;
}

/** @throws PlainFailure when there is no relay to use; RelaydError when none takes the share in */
export async function share(context: CliContext, port: number, options: ShareOptions): Promise<void> {
  const base = configWith(context, options, SIDE_SETTINGS).config;
  checkRelays(base, options.relay ?? []);
  const plan = await prepare(base, port, options);
  const { config } = configWith(context, options, settingsFor(plan), ['log.level=warn']);
  await warnIfSilent(context, port);
  context.exitCode = await runSideNode(context, config, async (node, signal) => {
    await untilReserved(node, signal);
    show(context, lineOf(plan, node), options, plan);
  });
}

/** Makes what is kept from one start of a share to the next. */
async function prepare(base: RelaydConfig, port: number, options: ShareOptions): Promise<Plan> {
  const dataDir = join(base.dataDir, `share-${port}`);
  await makeDir(dataDir, 0o700);
  const realm = await shareRealm(base, dataDir);
  const peer = (await ensureIdentity(join(dataDir, 'identity.key'))).peerId.toString();
  const service = options.name ?? `port-${port}`;
  const guests = await guestToken(realm, dataDir, { service, maxPeers: options.maxPeers, expiresMs: options.expires });
  const tokenFile = realm.isConfigs && base.realm.tokenFile === undefined ? await memberTokenFile(realm, dataDir, peer) : base.realm.tokenFile;
  return { port, service, given: options.relay ?? [], dataDir, base, realm, peer, tokenFile, guests };
}

function lineOf({ port, service, given, realm, peer, guests }: Plan, node: RelayNode): string {
  return encodeInvitation({ relays: relaysOf(node, given), realm: guests.realm, authority: realm.authority.publicKey, token: guests.bytes, tunnel: { name: service, peer, port } });
}

function checkRelays({ client, discovery }: RelaydConfig, given: readonly string[]): void {
  if (given.length + client.relays.length + discovery.bootstrap.length === 0 && !discovery.dht.enabled && !discovery.mdns) {
    throw new PlainFailure(['relayd: no relay is known to share through: name one with --relay /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…, or a config that has client.relays with --config relayd.yaml'], EXIT_USAGE);
  }
}

function settingsFor({ base, realm: { authority, isConfigs }, dataDir, given, service, port, tokenFile }: Plan): string[] {
  const realm = { name: authority.name, authority: authority.publicKey, ...(tokenFile === undefined ? {} : { tokenFile }), ...(isConfigs ? { revocationFile: base.realm.revocationFile } : {}) };
  return [
    ...SIDE_SETTINGS,
    `dataDir=${JSON.stringify(dataDir)}`,
    // The line names the relays, so the reservation must be there whether others reach this machine directly or not.
    'client.when=always',
    `realm=${JSON.stringify(realm)}`,
    `tunnels=${JSON.stringify({ expose: [{ name: service, to: `${LOCALHOST}:${port}`, allow: [] }], forward: [] })}`,
    ...(given.length === 0 ? [] : [...NO_DISCOVERY, `client.relays=${JSON.stringify(given)}`, `client.desired=${Math.min(DESIRED_RELAYS, given.length)}`]),
  ];
}

/** Those that were named, in their order, so that the line is the same at every start; else those that hold a reservation. */
function relaysOf(node: RelayNode, given: readonly string[]): string[] {
  return (given.length > 0 ? [...given] : heldRelays(node.view.relays())).slice(0, MAX_RELAYS);
}

function show(context: CliContext, line: string, { maxPeers, qr }: ShareOptions, { port, guests }: Plan): void {
  context.print(line);
  if (qr === true) {
    context.io.stderr.write(qrText(line));
  }
  context.printError(`${plural(maxPeers, 'machine')} may open this line and reach port ${port} of this one, until ${when(guests.expiresAtWall)}:  relayd open LINE\nSend it as you would a password. Ctrl-C ends the share; started again, it has the same line.`);
}

/** A share of nothing is most often a wrong number. */
async function warnIfSilent(context: CliContext, port: number): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: LOCALHOST, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!answers) context.printError(`relayd: warning: nothing listens on ${LOCALHOST}:${port} yet; guests can connect once something does`);
}
