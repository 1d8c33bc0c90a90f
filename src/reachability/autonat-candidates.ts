import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ipOf } from '../lib/addresses.ts';

/** A request has room for more, but a node with more addresses than this would never be done. */
const MAX_CANDIDATES = 16;

/** An address under which this node may be reachable. */
export interface OwnCandidate {
  readonly addr: Multiaddr;
  /** Not this node's own word: the host is what a peer says that it sees. */
  readonly guessed: boolean;
}

export interface CandidateSources {
  /** Of the sockets themselves. */
  readonly listen: readonly Multiaddr[];
  /** The operator's, which stand for those of the sockets. */
  readonly announce: readonly Multiaddr[];
  /** The IP addresses that peers see, as text. */
  readonly observed: Iterable<string>;
  readonly mayTell: (addr: Multiaddr) => boolean;
}

/**
 * The addresses to have checked: this node's own; and, as behind a router that forwards a port, each of its ports under
 * the IP addresses that others see. A DNS name cannot be checked as such (no server looks names up): its ports count as ports.
 */
export function ownCandidates({ listen, announce, observed, mayTell }: CandidateSources): OwnCandidate[] {
  const told = (announce.length > 0 ? announce : listen).map((addr) => addr.decapsulateCode(CODE_P2P));
  const own = told.filter((addr) => isIp(addr) && mayTell(addr));
  const ports = announce.length > 0 ? told.filter((addr) => !isIp(addr)) : told;
  const guesses = [...observed].flatMap((ip) => ports.flatMap((port) => atHost(ip, port))).filter(mayTell);
  const candidates = new Map([...guesses.map(named(true)), ...own.map(named(false))]);
  return [...candidates.values()].sort((a, b) => Number(a.guessed) - Number(b.guessed)).slice(0, MAX_CANDIDATES);
}

/** For a map in which this node's own word replaces a guess. */
function named(guessed: boolean): (addr: Multiaddr) => [string, OwnCandidate] {
  return (addr) => [addr.toString(), { addr, guessed }];
}

/** Those first at whose IP address the peer that is asked sees this node: there it dials at once, and for nothing. */
export function inOrderFor(candidates: readonly OwnCandidate[], seenAt: string | undefined): OwnCandidate[] {
  const isSeen = ({ addr }: OwnCandidate): boolean => ipOf(addr)?.toString() === seenAt;
  return [...candidates.filter(isSeen), ...candidates.filter((candidate) => !isSeen(candidate))];
}

function isIp(addr: Multiaddr): boolean {
  return /^ip[46]$/.test(addr.getComponents()[0]?.name ?? '');
}

/** `port` with its host replaced; none where the two are of different families. */
function atHost(ip: string, port: Multiaddr): Multiaddr[] {
  const family = ip.includes(':') ? '6' : '4';
  const [host, ...rest] = port.getComponents();
  if (host === undefined || ![`ip${family}`, `dns${family}`, 'dns'].includes(host.name)) {
    return [];
  }
  const tail = rest.map(({ name, value }) => `/${name}${value === undefined ? '' : `/${value}`}`).join('');
  return [multiaddr(`/ip${family}/${ip}${tail}`)];
}
