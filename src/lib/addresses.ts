import type { Multiaddr } from '@multiformats/multiaddr';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** How far an address reaches: from anywhere, from its own network, or from its own machine. */
export type Reach = 'public' | 'private' | 'loopback';

/**
 * The IP address that a multiaddr begins with, IPv4-mapped and NAT64 (64:ff9b::/96) forms turned into the IPv4
 * address that they stand for; `undefined` for a DNS name, a unix socket or a circuit.
 */
export function ipOf(addr: Multiaddr): Address | undefined {
  if (isCircuit(addr)) {
    return undefined;
  }
  const first = addr.getComponents().find((component) => component.name === 'ip4' || component.name === 'ip6');
  return first?.value === undefined ? undefined : parseIp(first.value);
}

/** True for an address that leads through a relay. */
export function isCircuit(addr: Multiaddr): boolean {
  return addr.getComponents().some((component) => component.name === 'p2p-circuit');
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
  if (address instanceof ipaddr.IPv4) {
    return address;
  }
  if (address.isIPv4MappedAddress()) {
    return address.toIPv4Address();
  }
  return address.range() === 'rfc6052' ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}

/** A DNS name counts as public: an operator wrote it to be found. */
export function reachOf(addr: Multiaddr): Reach {
  const address = ipOf(addr);
  if (address === undefined) {
    return 'public';
  }
  const range = address.range();
  if (range === 'unicast') {
    return 'public';
  }
  return range === 'loopback' || range === 'unspecified' ? 'loopback' : 'private';
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
