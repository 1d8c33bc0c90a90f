import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { RelaydError } from '../lib/errors.ts';
import { parseAddr, parseCircuit, isCircuit, peerIdOf, peerOf } from './circuit-addr.ts';

export interface DialTarget {
  readonly peer: PeerId;
  /** The address, when more than a peer id was given. */
  readonly addr: Multiaddr | undefined;
}

/**
 * @param text a peer id, or a full multiaddr that ends in one
 * @throws RelaydError BAD_REQUEST when it is neither, or a circuit inside a circuit
 */
export function parseTarget(text: string): DialTarget {
  if (!text.startsWith('/')) {
    return { peer: peerIdOf(text) ?? refuse(text, 'is not a peer id'), addr: undefined };
  }
  const addr = parseAddr(text) ?? refuse(text, 'is not a multiaddr');
  const peer = peerOf(addr) ?? refuse(text, 'does not end in /p2p/ and a peer id');
  if (isCircuit(addr) && parseCircuit(addr) === undefined) {
    refuse(text, 'is not the address of a circuit through one relay');
  }
  return { peer, addr: addr.getComponents().length > 1 ? addr : undefined };
}

function refuse(text: string, why: string): never {
  throw new RelaydError('BAD_REQUEST', `"${text}" ${why}`);
}
