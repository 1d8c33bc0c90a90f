import type { BearerClaim } from '../lib/membership/bearer-claims.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';
import type { Field } from '../lib/protobuf.ts';

/** What relays tell each other of bearer tokens: docs/reference/protocol-cluster.md, "Bearer tokens". */
export interface BearerQuestion {
  /** The public key of the realm's authority, as hex. */
  readonly authority: string;
  /** None: the other relay is asked for its digest. */
  readonly claims: readonly BearerClaim[];
}

/** Some 100 bytes each, so that a message is far below MAX_LINK_FRAME_BYTES, and read within a few milliseconds. */
export const MAX_CLAIMS = 1000;

const TOKEN = /^[0-9a-f]{16}$/;
/** A peer id in base58 is half as long. */
const PEER = /^[0-9A-Za-z]{1,100}$/;
/** As a token has it (docs/reference/realms.md): the year 9999 and the tolerance for clocks that differ; 1 to 1000 peers. */
const MAX_WALL_MS = 253_402_300_799_000 + 60_000;
const MAX_PEERS = 1000;

export function encodeQuestion({ authority, claims }: BearerQuestion): Uint8Array {
  const writer = new MessageWriter().text(1, authority);
  claims.forEach((claim) => writer.bytes(2, encodeClaim(claim)));
  return writer.finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeQuestion(message: Uint8Array): BearerQuestion {
  let authority: string | undefined;
  const claims: BearerClaim[] = [];
  for (const field of readFields(message)) {
    if (field.number === 1) authority = textOf(field);
    else if (field.number === 2) claims.push(decodeClaim(bytesOf(field)));
    if (claims.length > MAX_CLAIMS) throw malformed(`more than ${MAX_CLAIMS} claims`);
  }
  if (authority === undefined) throw malformed('users of bearer tokens without their authority');
  return { authority, claims };
}

/** Of a relay of another realm: nothing. */
export function encodeAnswer(digest: Uint8Array | undefined): Uint8Array {
  return new MessageWriter().bytes(1, digest).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeAnswer(message: Uint8Array): Uint8Array | undefined {
  const field = [...readFields(message)].find(({ number }) => number === 1);
  return field === undefined ? undefined : bytesOf(field);
}

function encodeClaim({ token, peer, claimedAtWall, expiresAtWall, maxPeers }: BearerClaim): Uint8Array {
  return new MessageWriter().text(1, token).text(2, peer).varint(3, claimedAtWall).varint(4, expiresAtWall).varint(5, maxPeers).finish();
}

function decodeClaim(bytes: Uint8Array): BearerClaim {
  const fields = new Map<number, Field>();
  for (const field of readFields(bytes)) fields.set(field.number, field);
  const must = (number: number): Field => fields.get(number) ?? { number, varint: undefined, bytes: undefined };
  const maxPeers = fields.get(5);
  const claim = {
    token: textOf(must(1)),
    peer: textOf(must(2)),
    claimedAtWall: numberOf(must(3)),
    expiresAtWall: numberOf(must(4)),
    maxPeers: maxPeers === undefined ? undefined : numberOf(maxPeers),
  };
  checkClaim(claim);
  return claim;
}

/** @throws RelaydError MALFORMED_MESSAGE for what no token could say */
function checkClaim({ token, peer, claimedAtWall, expiresAtWall, maxPeers = 1 }: BearerClaim): void {
  if (!TOKEN.test(token) || !PEER.test(peer)) throw malformed('an id that is no token\'s, or no peer\'s');
  if (claimedAtWall > MAX_WALL_MS || expiresAtWall > MAX_WALL_MS) throw malformed('a time that no token has');
  if (maxPeers < 1 || maxPeers > MAX_PEERS) throw malformed(`a token for ${maxPeers} peers`);
}
