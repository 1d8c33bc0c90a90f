import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** How far an address reaches: from anywhere, from its own network, or from its own machine. */
export type Reach = 'public' | 'private' | 'loopback';

/** A name may be an address: it is then connected to without a lookup, so that it must be judged here. */
const HOSTS = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6']);

/** Protocols that never leave this machine. */
const LOCAL = new Set(['unix', 'memory']);

/** Networks whose last 32 bits are an IPv4 address: mapped, NAT64 (RFC 6052), and the old IPv4-compatible form. */
const IPV4_INSIDE = ['::ffff:0:0/96', '64:ff9b::/96', '::/96'].map((text) => ipaddr.IPv6.parseCIDR(text));

/**
 * The IP address that a multiaddr begins with, the IPv6 forms of an IPv4 address turned into the address that they
 * stand for; `undefined` for a DNS name, a unix socket or a circuit.
 */
export function ipOf(addr: Multiaddr): Address | undefined {
  if (isCircuit(addr)) {
    return undefined;
  }
  const first = addr.getComponents().find((component) => HOSTS.has(component.name));
  return first?.value === undefined ? undefined : parseIp(first.value);
}

/** True for an address that leads through a relay. */
export function isCircuit(addr: Multiaddr): boolean {
  return addr.getComponents().some((component) => component.name === 'p2p-circuit');
}

/** The id of the relay that `connection` runs through. */
export function relayOf({ remoteAddr }: Pick<Connection, 'remoteAddr'>): string | undefined {
  const parts = remoteAddr.getComponents();
  const at = parts.findIndex((component) => component.name === 'p2p-circuit');
  const relay = parts[at - 1];
  return relay?.name === 'p2p' ? relay.value : undefined;
}

/** True for a connection that itself runs over a relay: it can neither reserve nor carry a circuit (conformance 9, 25). */
export function isRelayed(connection: Pick<Connection, 'limits' | 'remoteAddr'>): boolean {
  return connection.limits !== undefined || isCircuit(connection.remoteAddr);
}

/** The address with our peer id behind it; none for one that ends in another's. */
export function ownAddress(addr: Multiaddr, peerId: string): Multiaddr[] {
  const last = addr.getComponents().at(-1);
  if (last?.name !== 'p2p') {
    return [addr.encapsulate(`/p2p/${peerId}`)];
  }
  return last.value === peerId ? [addr] : [];
}

export function parseIp(text: string): Address | undefined {
  if (!ipaddr.isValid(text)) {
    return undefined;
  }
  const address = ipaddr.parse(text);
  // `::1` and `::` lie in ::/96 too, and are no IPv4 addresses.
  if (address instanceof ipaddr.IPv4 || isThisMachine(address)) {
    return address;
  }
  return IPV4_INSIDE.some((cidr) => address.match(cidr)) ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}

/** A DNS name counts as public: an operator wrote it to be found. */
export function reachOf(addr: Multiaddr): Reach {
  if (addr.getComponents().some((component) => LOCAL.has(component.name))) {
    return 'loopback';
  }
  const address = ipOf(addr);
  if (address === undefined || address.range() === 'unicast') {
    return 'public';
  }
  return isThisMachine(address) ? 'loopback' : 'private';
}

function isThisMachine(address: Address): boolean {
  const range = address.range();
  return range === 'loopback' || range === 'unspecified';
}

/** True when only this machine can reach what is bound to `host`. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback');
}

/** A parsed CIDR, for `contains`. */
export type Cidr = readonly [Address, number];

/** @throws Error when `text` is not a CIDR; a bare address is a CIDR of itself */
export function parseCidr(text: string): Cidr {
  return text.includes('/') ? ipaddr.parseCIDR(text) : [ipaddr.parse(text), ipaddr.parse(text).kind() === 'ipv4' ? 32 : 128];
}

export function contains([network, bits]: Cidr, address: Address): boolean {
  if (network instanceof ipaddr.IPv4) {
    return address instanceof ipaddr.IPv4 && address.match(network, bits);
  }
  return address instanceof ipaddr.IPv6 && address.match(network, bits);
}

/** The network of `bits` bits that `address` is in, as text: the key under which a prefix is counted. */
export function networkOf(address: Address, bits: number): string {
  const bytes = address.toByteArray();
  const masked = bytes.map((byte, i) => byte & maskByte(bits - i * 8));
  return `${ipaddr.fromByteArray(masked).toString()}/${bits}`;
}

function maskByte(bits: number): number {
  if (bits >= 8) return 0xff;
  return bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}
