import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Component, Multiaddr } from '@multiformats/multiaddr';
import ipaddr from 'ipaddr.js';
import type { HostPort } from './domain.ts';
import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** Names and addresses as a person writes them. What is kept is the canonical text, so that equal things compare equal. */

const PEER_FORM = 'a peer id, such as 12D3KooW… (`relayd key show` prints one)';
const FULL_FORM = 'a full address, such as /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…';
const LISTEN_FORM = 'an address of this machine, such as /ip4/0.0.0.0/tcp/4001';
/** What the transports take: TCP, WebSocket on it, and QUIC where its optional package is installed (it takes no zone). */
const LISTENABLE = /^((ip4|ip6|ip6zone\/ip6)\/tcp(\/ws|\/tls\/ws)?|(ip4|ip6)\/udp\/quic-v1)$/;
const DIALABLE = /^(dnsaddr|(ip4|ip6|ip6zone\/ip6|dns|dns4|dns6)\/tcp(\/ws|\/wss|\/tls(\/sni)?\/ws)?|(ip4|ip6|dns|dns4|dns6)\/udp\/quic-v1)$/;

const CIDR_FORM = 'a CIDR, such as 203.0.113.0/24 or 2001:db8::/32';

/** The text form that libp2p prints; an id written as a CID is accepted and rewritten. */
export function parsePeerId(input: unknown): Parsed<string> {
  try {
    return good(peerIdFromString(input as string).toString());
  } catch {
    return bad(`${shown(input)} is not a peer id`, PEER_FORM);
  }
}

/** An address to dial: over TCP, WebSocket or QUIC, and naming the peer that must answer. */
export function parseFullAddress(input: unknown): Parsed<string> {
  const parts = components(input, FULL_FORM);
  if (!parts.ok) {
    return parts;
  }
  const last = parts.value.at(-1);
  if (last?.name !== 'p2p') {
    return bad(`${shown(input)} does not say which peer answers there`, `end it in /p2p/ and the peer's id, as in ${FULL_FORM.slice(FULL_FORM.indexOf('/'))}`);
  }
  const peer = parsePeerId(last.value);
  const route = parts.value.slice(0, -1);
  return peer.ok ? (dialable(input, route) ?? good(`${text(route)}/p2p/${peer.value}`)) : bad(`${shown(last.value)} is not a peer id`, PEER_FORM);
}

/** A full address, or a DNS name that lists such addresses. */
export function parseRelayAddress(input: unknown): Parsed<string> {
  const match = typeof input === 'string' ? /^\/dnsaddr\/([A-Za-z0-9_][A-Za-z0-9_.-]{0,252})$/.exec(input) : null;
  return match === null ? parseFullAddress(input) : good(`/dnsaddr/${match[1]}`);
}

/** An address of this machine to bind: an IP address and a TCP port, for WebSocket too, or a UDP port for QUIC; port 0 takes a free one. */
export function parseListenAddress(input: unknown): Parsed<string> {
  const parts = components(input, LISTEN_FORM);
  if (!parts.ok) {
    return parts;
  }
  const names = parts.value.map((part) => part.name).join('/');
  return LISTENABLE.test(names) ? good(text(parts.value)) : bad(`${shown(input)} cannot be listened on`, `${LISTEN_FORM}, /ip4/0.0.0.0/tcp/443/tls/ws for WebSocket, or /ip4/0.0.0.0/udp/4001/quic-v1 for QUIC`);
}

/** An address that others are given for this node, with or without its own `/p2p/…`. */
export function parseAnnounceAddress(input: unknown): Parsed<string> {
  const form = 'an address that others can dial, such as /dns4/relay.example.org/tcp/4001';
  const parts = components(input, form);
  if (!parts.ok) {
    return parts;
  }
  return parts.value.some(isPortZero) ? bad(`${shown(input)} has port 0`, 'the port that others dial') : good(text(parts.value));
}

function components(input: unknown, form: string): Parsed<Component[]> {
  try {
    const address: Multiaddr = multiaddr(input as string);
    return typeof input === 'string' && input.length > 1 ? good(address.getComponents()) : bad(`${shown(input)} is not a multiaddr`, form);
  } catch {
    return bad(`${shown(input)} is not a multiaddr`, form);
  }
}

function text(parts: readonly Component[]): string {
  return parts.map((part) => `/${part.name}${part.value === undefined ? '' : `/${part.value}`}`).join('');
}

/** What is wrong with a route that no transport of this release can take. */
function dialable(input: unknown, route: readonly Component[]): Parsed<string> | undefined {
  const names = route.map((part) => part.name).join('/');
  if (names.includes('p2p-circuit')) {
    return bad(`${shown(input)} goes through a relay itself`, 'the direct address of the peer');
  }
  if (!DIALABLE.test(names)) {
    return bad(`${shown(input)} cannot be dialled`, `an address over TCP, WebSocket or QUIC, as in ${FULL_FORM.slice(FULL_FORM.indexOf('/'))}`);
  }
  return route.some(isPortZero) ? bad(`${shown(input)} has port 0`, 'the port that the peer listens on') : undefined;
}

function isPortZero({ name, value }: Component): boolean {
  return (name === 'tcp' || name === 'udp') && value === '0';
}

/** True for an address that is reached over QUIC, as the configuration's addresses are written. */
export function isQuicAddress(address: string): boolean {
  return address.includes('/quic-v1');
}

/** What is spoken at an address, as the configuration's addresses are written. */
export type Spoken = 'tcp' | 'ws' | 'tls/ws' | 'quic';

export function spokenAt(address: string): Spoken {
  if (isQuicAddress(address)) {
    return 'quic';
  }
  return address.includes('/wss') || address.includes('/tls/') ? 'tls/ws' : address.includes('/ws') ? 'ws' : 'tcp';
}

/** A block of addresses; a single address is the block of itself. */
export function parseCidr(input: unknown): Parsed<string> {
  const match = typeof input === 'string' ? /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(input) : null;
  const address = match?.[1] ?? '';
  const isV4 = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isV4 && !ipaddr.IPv6.isValid(address)) {
    return bad(`${shown(input)} is not a CIDR`, CIDR_FORM);
  }
  const bits = isV4 ? 32 : 128;
  const length = Number(match?.[2] ?? bits);
  if (length > bits) {
    return bad(`${shown(input)} has a prefix of ${length} bits`, `at most /${bits}`);
  }
  const mapped = !isV4 && ipaddr.IPv6.parse(address).isIPv4MappedAddress();
  return mapped ? bad(`${shown(input)} is an IPv4 block in IPv6 form, which matches nothing`, 'the IPv4 block, such as 203.0.113.0/24') : good(network(address, length));
}

/** The block's first address and its length: the bits behind the length do not count. */
function network(address: string, length: number): string {
  const parsed = ipaddr.parse(address);
  const bytes = parsed.toByteArray().map((byte, index) => byte & (0xff << Math.min(8, Math.max(0, (index + 1) * 8 - length)))).map((byte) => byte & 0xff);
  return `${ipaddr.fromByteArray(bytes).toString()}/${length}`;
}

/** A peer id or a CIDR, for access lists. */
export function parsePeerOrCidr(input: unknown): Parsed<string> {
  const cidr = parseCidr(input);
  const looksLikeAddress = typeof input === 'string' && /[.:/]/.test(input);
  const peer = parsePeerId(input);
  if (cidr.ok || (!peer.ok && looksLikeAddress)) {
    return cidr;
  }
  return peer.ok ? peer : bad(`${shown(input)} is neither a peer id nor a CIDR`, 'such as 12D3KooW… or 203.0.113.0/24');
}

export interface HostPortRules {
  /** Port 0, which takes a free port: right for what listens. */
  zeroPort: boolean;
  /** Names beside `localhost`: right for what is connected to. */
  names: boolean;
  example: string;
}

export function parseHostPort(input: unknown, rules: HostPortRules): Parsed<HostPort> {
  const form = `HOST:PORT, such as ${rules.example}`;
  const match = typeof input === 'string' ? /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(input) : null;
  if (match === null) {
    return typeof input === 'string' && ipaddr.IPv6.isValid(input.replace(/:\d+$/, '')) && input.split(':').length > 2
      ? bad(`${shown(input)} is an IPv6 address without brackets`, 'brackets and a port, such as "[::1]:9641"')
      : bad(`${shown(input)} is not a host and port`, form);
  }
  const port = Number(match[3]);
  if (port > 65_535 || (port === 0 && !rules.zeroPort)) {
    return bad(`port ${port} cannot be used`, rules.zeroPort ? 'a port from 0 to 65535' : 'a port from 1 to 65535');
  }
  const host = match[1] ?? match[2] ?? '';
  return validHost(host, match[1] !== undefined, rules.names) ? good({ host, port }) : bad(`${shown(host)} is not a host`, form);
}

function validHost(host: string, bracketed: boolean, names: boolean): boolean {
  if (bracketed || /^[\d.]+$/.test(host)) {
    return bracketed ? ipaddr.IPv6.isValid(host) : ipaddr.IPv4.isValidFourPartDecimal(host);
  }
  return host === 'localhost' || (names && /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/.test(host));
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for the addresses that stand for every address of the machine. */
export function isWildcard(host: string): boolean {
  return ipaddr.isValid(host) && ipaddr.parse(host).range() === 'unspecified';
}
