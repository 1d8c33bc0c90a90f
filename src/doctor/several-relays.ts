import { multiaddr } from '@multiformats/multiaddr';
import { ipOf, networkOf } from '../lib/addresses.ts';
import type { OtherRelay, OutsideRow } from '../lib/contracts.ts';
import { MAX_ALTERNATIVES } from '../lib/directory/statement.ts';
import { isRelay, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** The items of tier 2: several relays that know of each other and share nothing. */

function isTier2Relay(facts: Facts): boolean {
  return facts.config.profile === 'tier2' && isRelay(facts);
}

/** The relays of the network beside this one, as the config names them. */
export function otherRelays({ client, discovery, relay }: Facts['config']): string[] {
  return [...new Set([...relay.alternatives, ...discovery.bootstrap, ...client.relays])].filter((addr) => !addr.startsWith('/dnsaddr/'));
}

/** Whoever is refused here or there, or has to leave, is told of the others (relay.alternatives). */
export function checkLists(facts: Facts): Item | undefined {
  if (!isTier2Relay(facts)) {
    return undefined;
  }
  if (otherRelays(facts.config).length === 0 && !namesLists(facts.config)) {
    return failed('relay-lists', 'no other relay is named', 'name every other relay by its full address in discovery.bootstrap and relay.alternatives, here and on each of them');
  }
  const self = ownId(facts);
  const rows = facts.network.rows ?? [];
  const problems = [...ownGap(facts), ...(self === undefined ? [] : rows.flatMap((row) => listProblem(row, self)))];
  const reason = problems.map(({ text }) => text).join('; ');
  if (problems.some(({ isSure }) => isSure)) {
    return failed('relay-lists', reason, 'name every other relay by its full address in relay.alternatives, on each relay, and reload; start those that do not answer');
  }
  if (problems.length > 0) {
    return warning('relay-lists', reason, 'look at the lists of those relays yourself');
  }
  return rows.length === 0 ? undefined : ok('relay-lists', `${rows.length} other ${rows.length === 1 ? 'relay names' : 'relays name'} this one, and this one names ${rows.length === 1 ? 'it' : 'them'}`);
}

interface ListProblem {
  text: string;
  /** Not for want of an answer. */
  isSure: boolean;
}

/** Relays that this one knows and does not tell of; in a DHT it finds them. */
function ownGap({ config }: Facts): ListProblem[] {
  const named = new Set(config.relay.alternatives.map(peerOf));
  const gap = config.discovery.dht.enabled ? [] : [...new Set(otherRelays(config).map(peerOf))].filter((peer) => !named.has(peer));
  return gap.length === 0 ? [] : [{ text: `this relay does not name ${gap.join(', ')} to its clients`, isSure: true }];
}

function peerOf(addr: string): string {
  return addr.split('/p2p/').at(-1) ?? addr;
}

function namesLists({ client, discovery }: Facts['config']): boolean {
  return [...client.relays, ...discovery.bootstrap].some((addr) => addr.startsWith('/dnsaddr/'));
}

function ownId(facts: Facts): string | undefined {
  const key = facts.files?.key;
  return running(facts)?.status.peerId ?? (key?.state === 'good' ? key.peerId : undefined);
}

function listProblem({ peer, error, relay }: OutsideRow, self: string): ListProblem[] {
  if (error !== undefined) {
    return [{ text: `${peer} does not answer (${error})`, isSure: true }];
  }
  if (relay === null) {
    return [{ text: `${peer} does not tell whom it knows (it is no relay of this program)`, isSure: false }];
  }
  if (relay.names.some((addr) => addr.endsWith(`/p2p/${self}`))) {
    return [];
  }
  const isCut = relay.names.length >= MAX_ALTERNATIVES;
  return [{ text: isCut ? `${peer} knows more relays than it tells` : `${peer} does not name this relay to its clients`, isSure: !isCut }];
}

export function checkRegions(facts: Facts): Item | undefined {
  if (!isTier2Relay(facts)) {
    return undefined;
  }
  const { region } = facts.config.relay;
  if (region === undefined) {
    return warning('regions', 'relay.region is not set: clients cannot spread over regions', 'set relay.region to where this relay is, such as eu-west; another on each relay');
  }
  const others = told(facts.network.rows);
  const nameless = others.filter(([, relay]) => relay.region === null).map(([peer]) => peer);
  const same = others.filter(([, relay]) => relay.region === region).map(([peer]) => peer);
  if (same.length > 0) {
    return warning('regions', `${same.join(', ')} says that it is in ${region} too: what cuts that region off takes both`, 'put the relays into different regions; where they are, set relay.region accordingly');
  }
  return nameless.length > 0 ? warning('regions', `${nameless.join(', ')} tells no region`, 'set relay.region there') : ok('regions', [region, ...others.map(([, relay]) => relay.region)].join(', '));
}

function told(rows: readonly OutsideRow[] | undefined): [string, OtherRelay][] {
  return (rows ?? []).flatMap(({ peer, relay }): [string, OtherRelay][] => (relay === null ? [] : [[peer, relay]]));
}

/** Networks that are given to different owners: what fails for one seldom fails for the other. */
const NETWORK_BITS = { ipv4: 24, ipv6: 48 };

export function checkSpread(facts: Facts): Item | undefined {
  const others = isTier2Relay(facts) ? otherRelays(facts.config) : [];
  const own = running(facts)?.status.addrs ?? facts.config.network.announce;
  const hosts = [...new Set([...own, ...others].flatMap((addr) => ipText(addr)))];
  if (others.length === 0 || hosts.length === 0) {
    return undefined;
  }
  const mine = new Set(own.flatMap(ipText));
  const same = others.filter((addr) => ipText(addr).some((ip) => mine.has(ip)));
  if (same.length > 0) {
    return failed('relay-addresses', `${same.join(', ')} has the same IP address as this relay: one machine or one router carries both`, 'run the relays on machines of their own, in different networks');
  }
  const networks = Map.groupBy([...mine, ...others.flatMap(ipText)], networkAround);
  const shared = [...networks].filter(([, ips]) => ips.length > 1 && ips.some((ip) => !mine.has(ip)));
  return shared.length > 0
    ? warning('relay-addresses', `several relays are in one network: ${shared.map(([, ips]) => ips.join(' and ')).join('; ')}`, 'put them into different networks, best of different providers')
    : ok('relay-addresses', `${others.length + 1} relays in different networks`);
}

function ipText(addr: string): string[] {
  const ip = ipOf(multiaddr(addr));
  return ip === undefined ? [] : [ip.toString()];
}

function networkAround(ip: string): string {
  const parsed = ipOf(multiaddr(`/ip${ip.includes(':') ? 6 : 4}/${ip}`));
  return parsed === undefined ? ip : networkOf(parsed, NETWORK_BITS[parsed.kind()]);
}

export function checkIndependence(facts: Facts): Item | undefined {
  if (!isTier2Relay(facts)) {
    return undefined;
  }
  return warning(
    'independent-limits',
    'relays of tier 2 share nothing: every limit, count and statistic is of one relay, so that with N relays a user may get N times a limit',
    'where that is meant, say so in the config: doctor: {acknowledge: [independent-limits]}; limits over all relays come with tier 3',
  );
}

export function checkMonitoredRelays(facts: Facts): Item | undefined {
  const { prometheus } = facts;
  if (!isTier2Relay(facts) || prometheus === undefined || prometheus.error !== undefined) {
    return undefined;
  }
  const expected = otherRelays(facts.config).length + 1;
  return prometheus.relays < expected
    ? warning('relays-monitored', `${prometheus.url} collects from ${prometheus.relays} of ${expected} relays`, 'add every relay to the targets of Prometheus, or give each region one of its own')
    : ok('relays-monitored', `${prometheus.url} collects from ${prometheus.relays} relays`);
}
