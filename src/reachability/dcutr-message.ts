import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { MessageWriter, bytesOf, malformed, numberOf, readFields } from '../lib/protobuf.ts';

/** Specification: relay/DCUtR.md, "RPC messages". */
export interface HolePunchMessage {
  readonly type: 'CONNECT' | 'SYNC';
  /** Where the sender has been seen. */
  readonly addrs: readonly Multiaddr[];
}

const TYPES = { CONNECT: 100, SYNC: 300 } as const;

/** More than a host has of every kind; each costs a parse. */
const MAX_ADDRS = 32;

export function encodeHolePunch({ type, addrs }: HolePunchMessage): Uint8Array {
  const message = new MessageWriter().varint(1, TYPES[type]);
  addrs.forEach((addr) => message.bytes(2, addr.bytes));
  return message.finish();
}

/**
 * Addresses of a kind that is not known here are left out: the peer may speak more than we do.
 *
 * @throws RelaydError MALFORMED_MESSAGE
 */
export function decodeHolePunch(body: Uint8Array): HolePunchMessage {
  let code: number | undefined;
  const addrs: Uint8Array[] = [];
  for (const field of readFields(body)) {
    if (field.number === 1) code = numberOf(field);
    else if (field.number === 2) addrs.push(bytesOf(field));
  }
  const type = (['CONNECT', 'SYNC'] as const).find((name) => TYPES[name] === code);
  if (type === undefined) {
    throw malformed('a hole punching message of no known type');
  }
  return { type, addrs: addrs.slice(0, MAX_ADDRS).flatMap(parse) };
}

function parse(bytes: Uint8Array): Multiaddr[] {
  try {
    const addr = multiaddr(bytes);
    return addr.getComponents().length > 0 ? [addr] : [];
  } catch {
    return [];
  }
}
