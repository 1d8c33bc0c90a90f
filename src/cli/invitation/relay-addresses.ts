import { getThinWaistAddresses } from '@libp2p/utils';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { RelaydConfig } from '../../config/domain.ts';
import { isCircuit, ownAddress, reachOf } from '../../lib/addresses.ts';
import type { Reach } from '../../lib/addresses.ts';
import type { CandidateRow } from '../../lib/contracts.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { findDaemon } from '../daemon.ts';

/** More would make the line long and help nobody: a relay has an address a family and transport, a client two relays. */
export const MAX_RELAYS = 4;

const BY_REACH: readonly Reach[] = ['public', 'private', 'loopback'];

export interface RelaySources {
  readonly config: RelaydConfig;
  /** This node's own. */
  readonly peerId: string;
  /** What `--relay` says; empty: to be found out. */
  readonly given: readonly string[];
}

export interface InvitationRelays {
  readonly addrs: readonly string[];
  /** Nothing was given, and nothing that could be asked runs. */
  readonly daemonMissing: boolean;
}

/**
 * Where the guests find the relays: as given, else as the running daemon says, else as the config says.
 *
 * @throws RelaydError NO_ADDRESS when there is nothing that guests could reach
 */
export async function invitationRelays(context: CliContext, options: GlobalOptions, sources: RelaySources): Promise<InvitationRelays> {
  const { config, peerId, given } = sources;
  if (given.length > 0) {
    return { addrs: given.map((addr) => withPeer(addr, peerId)), daemonMissing: false };
  }
  const told = await ofDaemon(context, options);
  return { addrs: reachable(told ?? ofConfig(config, peerId), config), daemonMissing: told === undefined };
}

/** Those of `addrs` that others reach, the best first; loopback only where the config allows it and there is nothing better. @throws RelaydError NO_ADDRESS */
export function reachable(addrs: readonly string[], { network: { allowPrivate }, role }: RelaydConfig): string[] {
  const found = [...new Set(addrs)].map((addr) => ({ addr, reach: reachOf(multiaddr(addr)) }));
  const wanted = found.filter(({ reach }) => reach === 'public' || allowPrivate);
  const best = wanted.some(({ reach }) => reach !== 'loopback') ? wanted.filter(({ reach }) => reach !== 'loopback') : wanted;
  if (best.length === 0) {
    throw unreachable(addrs, role);
  }
  return best.toSorted((a, b) => BY_REACH.indexOf(a.reach) - BY_REACH.indexOf(b.reach)).slice(0, MAX_RELAYS).map(({ addr }) => addr);
}

/** What the config says before anything runs: where this relay is, or else which relays this client uses. */
function ofConfig(config: RelaydConfig, peerId: string): string[] {
  const own = ownAddrs(config).flatMap((addr) => ownAddress(addr, peerId)).map(String);
  return own.length > 0 ? own : config.client.relays.filter((addr) => !addr.startsWith('/dnsaddr/'));
}

/** Where a relay with this config is found: what it announces, else what it listens on. */
export function ownAddrs({ network, role }: RelaydConfig): Multiaddr[] {
  if (role === 'client') {
    return [];
  }
  return network.announce.length > 0 ? network.announce.map((addr) => multiaddr(addr)) : network.listen.flatMap(listened);
}

/** An address to listen on as others see it: of a wildcard, one for each address of this machine. Port 0 says nothing. */
function listened(text: string): Multiaddr[] {
  const addr = multiaddr(text);
  if (addr.getComponents().some(({ name, value }) => (name === 'tcp' || name === 'udp') && value === '0')) {
    return [];
  }
  const behind = text.split('/').slice(5).join('/');
  return getThinWaistAddresses(addr).map((thin) => (behind === '' ? thin : thin.encapsulate(`/${behind}`)));
}

/** `undefined` when no daemon runs with this config. */
async function ofDaemon(context: CliContext, options: GlobalOptions): Promise<string[] | undefined> {
  try {
    const daemon = await findDaemon(context, options);
    const { role, addrs } = JSON.parse(await daemon.get('/api/v1/status')) as { role: string; addrs: string[] };
    const own = role === 'client' ? [] : addrs.filter((addr) => !isCircuit(multiaddr(addr)));
    return own.length > 0 ? own : heldRelays(JSON.parse(await daemon.get('/api/v1/relays')) as CandidateRow[]);
  } catch (error) {
    if (error instanceof RelaydError && error.code === 'DAEMON_UNREACHABLE') {
      return undefined;
    }
    throw error;
  }
}

/** The addresses of the relays that hold a reservation of this node's. */
export function heldRelays(rows: readonly CandidateRow[]): string[] {
  return rows.filter(({ state }) => state === 'reserved').map(({ addr, peer }) => withPeer(addr, peer));
}

function withPeer(addr: string, peerId: string): string {
  return multiaddr(addr).getComponents().at(-1)?.name === 'p2p' ? addr : `${addr}/p2p/${peerId}`;
}

function unreachable(addrs: readonly string[], role: RelaydConfig['role']): RelaydError {
  const known = addrs.length === 0 ? 'none is known' : `only this machine and its own network reach ${addrs.join(' and ')}`;
  const help =
    role === 'client'
      ? 'name a relay with --relay /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…'
      : 'say where this machine is found from outside, with --relay /ip4/YOUR-PUBLIC-ADDRESS/tcp/4001 or network.announce; or name a relay of somebody else with --relay …/p2p/12D3KooW…; where all guests are in your own network, --set network.allowPrivate=true';
  return new RelaydError('NO_ADDRESS', `guests need the address of a relay, and ${known}; ${help}`);
}
