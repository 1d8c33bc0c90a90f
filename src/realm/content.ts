import type { PeerId } from '@libp2p/interface';
import { peerIdFromMultihash } from '@libp2p/peer-id';
import * as Digest from 'multiformats/hashes/digest';
import type { TokenLimits, TokenUse } from '../lib/membership/verifier.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';
import type { Field } from '../lib/protobuf.ts';
import { checkedName } from './names.ts';

/** What a token says, before its signature: docs/reference/realms.md, "Token". */
export interface TokenContent {
  readonly realm: string;
  /** 16 hex digits. */
  readonly id: string;
  /** Whom it makes a member; `undefined`: whoever has it, a bearer. */
  readonly peer: PeerId | undefined;
  /** How many different peers may use it; of a bearer token only. */
  readonly maxPeers: number | undefined;
  /** Unix seconds. */
  readonly notBeforeSeconds: number;
  /** Unix seconds. */
  readonly expiresSeconds: number;
  /** `reserve`, `connect`, then tunnels by name. */
  readonly uses: readonly TokenUse[];
  readonly limits: TokenLimits;
}

const VERSION = 1;

export const ID_BYTES = 8;

/** So that a token stays far below what a request may hold. */
export const MAX_TUNNELS = 8;

/** Each of them is remembered by each relay. */
export const MAX_BEARERS = 1000;

const USE_BITS = { reserve: 1, connect: 2 } as const;
const ALL_USE_BITS = USE_BITS.reserve | USE_BITS.connect;

export const TUNNEL_PREFIX = 'tunnel:';

/** In the order of their field numbers, from 1. */
const LIMITS = ['circuits', 'durationMs', 'bytesPerDirection', 'bandwidth'] as const satisfies (keyof TokenLimits)[];

/** The one encoding that a content has. */
export function encodeContent(content: TokenContent): Uint8Array {
  const { realm, id, peer, maxPeers, notBeforeSeconds, expiresSeconds, uses, limits } = content;
  const bits = useBits(uses);
  const writer = new MessageWriter()
    .varint(1, VERSION)
    .text(2, realm)
    .bytes(3, Buffer.from(id, 'hex'))
    .bytes(4, peer?.toMultihash().bytes)
    .varint(5, maxPeers)
    .varint(6, notBeforeSeconds)
    .varint(7, expiresSeconds)
    .varint(8, bits === 0 ? undefined : bits);
  tunnelNames(uses).forEach((name) => writer.text(9, name));
  return writer.bytes(10, encodeLimits(limits)).finish();
}

/**
 * @returns what says the same as `bytes`, byte for byte: any other encoding of it is malformed
 * @throws RelaydError MALFORMED_MESSAGE
 */
export function decodeContent(bytes: Uint8Array): TokenContent {
  const fields = new Map<number, Field[]>();
  for (const field of readFields(bytes)) {
    const same = fields.get(field.number);
    // In place: anyone may send any number of one kind.
    if (same === undefined) fields.set(field.number, [field]);
    else same.push(field);
  }
  const content = contentOf(fields);
  checkContent(content);
  // One comparison for all that an encoding can do in two ways: order, repetition, long varints, unknown fields, default values.
  if (Buffer.compare(encodeContent(content), bytes) !== 0) {
    throw malformed('a token that is not in its canonical encoding');
  }
  return content;
}

function contentOf(fields: ReadonlyMap<number, readonly Field[]>): TokenContent {
  const one = (number: number): Field | undefined => fields.get(number)?.[0];
  if (must(one(1), numberOf) !== VERSION) {
    throw malformed('a token of another version');
  }
  return {
    realm: must(one(2), textOf),
    id: Buffer.from(must(one(3), bytesOf)).toString('hex'),
    peer: may(one(4), peerOf),
    maxPeers: may(one(5), numberOf),
    notBeforeSeconds: must(one(6), numberOf),
    expiresSeconds: must(one(7), numberOf),
    uses: usesOf(may(one(8), numberOf) ?? 0, fields.get(9) ?? []),
    limits: may(one(10), (field) => limitsOf(bytesOf(field))) ?? {},
  };
}

function must<T>(field: Field | undefined, read: (field: Field) => T): T {
  if (field === undefined) throw malformed('a token without a field that every token has');
  return read(field);
}

function may<T>(field: Field | undefined, read: (field: Field) => T): T | undefined {
  return field === undefined ? undefined : read(field);
}

/** @throws RelaydError MALFORMED_MESSAGE when it says what no token says */
function checkContent({ realm, id, peer, maxPeers, notBeforeSeconds, expiresSeconds, uses }: TokenContent): void {
  checkedName(realm);
  if (id.length !== 2 * ID_BYTES) throw malformed(`a token's id has ${ID_BYTES} bytes`);
  if ((peer === undefined) !== (maxPeers !== undefined)) throw malformed('a token is for one peer or for a number of bearers');
  if (maxPeers !== undefined && (maxPeers < 1 || maxPeers > MAX_BEARERS)) throw malformed(`a token is for 1 to ${MAX_BEARERS} bearers`);
  if (notBeforeSeconds >= expiresSeconds || expiresSeconds > MAX_SECONDS) throw malformed('a token whose time ends before it begins, or never');
  if (uses.length === 0) throw malformed('a token that allows nothing');
}

/** The year 9999: what a Date can show with four digits. */
const MAX_SECONDS = 253_402_300_799;

/** @throws RelaydError MALFORMED_MESSAGE */
export function peerOf(field: Field): PeerId {
  const bytes = bytesOf(field);
  try {
    return peerIdFromMultihash(Digest.decode(bytes));
  } catch {
    throw malformed('a peer id that is none');
  }
}

function usesOf(bits: number, tunnels: readonly Field[]): TokenUse[] {
  if (bits > ALL_USE_BITS) throw malformed('a use that is not known');
  if (tunnels.length > MAX_TUNNELS) throw malformed(`more than ${MAX_TUNNELS} tunnels`);
  const plain = (['reserve', 'connect'] as const).filter((use) => (bits & USE_BITS[use]) !== 0);
  return [...plain, ...tunnels.map((field): TokenUse => `${TUNNEL_PREFIX}${checkedName(textOf(field))}`)];
}

function useBits(uses: readonly TokenUse[]): number {
  return uses.reduce((bits, use) => bits | (use === 'reserve' || use === 'connect' ? USE_BITS[use] : 0), 0);
}

function tunnelNames(uses: readonly TokenUse[]): string[] {
  const names = uses.filter((use) => use.startsWith(TUNNEL_PREFIX)).map((use) => use.slice(TUNNEL_PREFIX.length));
  return [...new Set(names)].sort();
}

function encodeLimits(limits: TokenLimits): Uint8Array | undefined {
  const writer = new MessageWriter();
  LIMITS.forEach((name, i) => writer.varint(i + 1, limits[name]));
  const bytes = writer.finish();
  return bytes.byteLength === 0 ? undefined : bytes;
}

function limitsOf(bytes: Uint8Array): TokenLimits {
  const limits: Partial<Record<keyof TokenLimits, number>> = {};
  for (const field of readFields(bytes)) {
    const name = LIMITS[field.number - 1];
    const value = numberOf(field);
    if (name === undefined || value < 1) throw malformed('a limit that is not known, or nothing');
    limits[name] = value;
  }
  return limits;
}
