import ipaddr from 'ipaddr.js';
import { loadConfig } from '../../config/index.ts';
import type { OldFile } from './old-file.ts';
import type { Plan } from './plan.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const PEERS = 'ACL.AllowPeers';
const SUBNETS = 'ACL.AllowSubnets';

/** The old lists say who may reserve; anyone may connect to those, here as there. */
export function translateAccess(old: OldFile, plan: Plan): void {
  const peers = old.strings(PEERS, []);
  const networks = old.strings(SUBNETS, []).map((text, index) => parseNetwork(old, text, index)).filter((network) => network !== undefined);
  checkPeers(old, peers);
  const subnets = networks.map(formatNetwork);
  if (peers.length > 0) {
    plan.set(PEERS, 'relay.access.reserve.allow', peers);
  } else if (subnets.length > 0) {
    plan.set(SUBNETS, 'relay.access.reserve.allow', subnets);
  }
  if (peers.length > 0 && subnets.length > 0) {
    // There both lists must name the peer; here either would do. "Not outside these networks" says the same.
    plan.set(SUBNETS, 'relay.access.reserve.deny', outside(networks).map(formatNetwork));
    plan.change(SUBNETS, `a peer must be in both lists: relay.access.reserve.deny has every network but ${subnets.join(', ')}`);
  }
}

function checkPeers(old: OldFile, peers: readonly string[]): void {
  for (const [index, peer] of peers.entries()) {
    if (!loadConfig({ inline: { realm: { members: [peer] } }, env: {} }).ok) {
      old.reject(PEERS, `${JSON.stringify(peer)} is not a peer id`, 'such as 12D3KooW…', index);
    }
  }
}

interface Network {
  first: Address;
  bits: number;
}

/** As Go reads it: the bits behind the length do not count. */
function parseNetwork(old: OldFile, text: string, index: number): Network | undefined {
  if (!ipaddr.isValidCIDR(text)) {
    old.reject(SUBNETS, `${JSON.stringify(text)} is not a subnet`, 'such as "10.0.0.0/8"', index);
    return undefined;
  }
  const [address, bits] = ipaddr.parseCIDR(text);
  return { first: address instanceof ipaddr.IPv4 ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text), bits };
}

function formatNetwork({ first, bits }: Network): string {
  return `${first.toString()}/${bits}`;
}

const EVERYTHING = ['0.0.0.0/0', '::/0'];

/** The fewest networks that hold every address which is in none of these. */
function outside(networks: readonly Network[]): Network[] {
  return EVERYTHING.map((text) => ipaddr.parseCIDR(text)).flatMap(([first, bits]) => without({ first, bits }, networks));
}

function without(whole: Network, networks: readonly Network[]): Network[] {
  const near = networks.filter((network) => network.first.kind() === whole.first.kind());
  if (near.some((network) => contains(network, whole))) {
    return [];
  }
  return near.some((network) => contains(whole, network)) ? halves(whole).flatMap((half) => without(half, near)) : [whole];
}

function contains(outer: Network, inner: Network): boolean {
  return outer.bits <= inner.bits && inner.first.match(outer.first, outer.bits);
}

function halves({ first, bits }: Network): Network[] {
  const upper = first.toByteArray();
  upper[bits >> 3] = (upper[bits >> 3] ?? 0) | (0x80 >> (bits & 7));
  return [{ first, bits: bits + 1 }, { first: ipaddr.fromByteArray(upper), bits: bits + 1 }];
}
