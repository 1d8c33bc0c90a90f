import type { PeerId } from '@libp2p/interface';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ipOf, isCircuit, ownAddress, reachOf } from '../lib/addresses.ts';

/** go-libp2p looks at as many; each costs a parse. */
const MAX_ADDRS = 50;

export interface Asker {
  readonly peer: PeerId;
  /** Where the server sees it. */
  readonly addr: Multiaddr;
}

export interface TargetRules {
  readonly allowPrivate: boolean;
  /** A transport of this node goes there. */
  readonly isDialable: (addr: Multiaddr) => Promise<boolean>;
}

export interface Target {
  /** With the asker's peer id behind it. */
  readonly addr: Multiaddr;
  readonly index: number;
}

/**
 * The first of `addrs` that may be dialled: one whose host is the very IP address that the asker comes from. The asker can
 * so send this node nowhere but to itself: no other host can be made a target, so none of the data that the specification
 * asks for before a dial elsewhere is needed.
 */
export async function chooseTarget(addrs: readonly Uint8Array[], asker: Asker, rules: TargetRules): Promise<Target | undefined> {
  const seen = ipOf(asker.addr)?.toString();
  for (const [index, bytes] of addrs.slice(0, MAX_ADDRS).entries()) {
    const addr = seen === undefined ? undefined : ownPlace(bytes, asker, seen);
    if (addr !== undefined && (rules.allowPrivate || reachOf(addr) === 'public') && (await rules.isDialable(addr))) {
      return { addr, index };
    }
  }
  return undefined;
}

/** The address, when it stands for a port of the asker's at `ip` and nothing else. */
function ownPlace(bytes: Uint8Array, { peer }: Asker, ip: string): Multiaddr | undefined {
  const addr = parse(bytes);
  if (addr === undefined || isCircuit(addr)) {
    return undefined;
  }
  const [host, ...rest] = addr.decapsulateCode(CODE_P2P).getComponents();
  const isPlain = (host?.name === 'ip4' || host?.name === 'ip6') && !rest.some(({ name }) => LEADS_ELSEWHERE.test(name));
  return isPlain && ipOf(addr)?.toString() === ip ? ownAddress(addr, peer.toString())[0] : undefined;
}

/** What may name another host behind the first. */
const LEADS_ELSEWHERE = /^(ip|dns|p2p)/;

function parse(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes);
  } catch {
    return undefined;
  }
}
