import type { PeerId } from '@libp2p/interface';
import type { KeyObject } from 'node:crypto';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';
import type { Field } from '../lib/protobuf.ts';
import { ID_BYTES, peerOf } from './content.ts';
import { checkedName } from './names.ts';
import { seal, sealedBy, splitSealed } from './signature.ts';
import type { IsSealed } from './signature.ts';

/** What is no longer worth what it says: docs/reference/realms.md, "Revocation list". */
export interface RevocationList {
  readonly realm: string;
  /** Grows with every list of a realm: who has seen a higher one takes no lower one. */
  readonly sequence: number;
  /** Unix seconds. */
  readonly issuedAtSeconds: number;
  readonly entries: readonly Revocation[];
}

/** A token by its id, or a peer whatever makes it a member. */
export type Revocation = { readonly token: string; readonly untilSeconds: number } | { readonly peer: PeerId; readonly untilSeconds: number | undefined };

const VERSION = 1;

/** What one list holds: a fifth of a second of work to read, on a slow machine. */
export const MAX_REVOCATIONS = 10_000;

/** More than {@link MAX_REVOCATIONS} of the longest entries need. */
export const MAX_REVOCATION_LIST_BYTES = 1024 * 1024;

export function signRevocationList(list: RevocationList, key: KeyObject): Uint8Array {
  return seal('revocations', encodeList(list), key);
}

/**
 * @param isSealed what knows the signatures of the realm's authority
 * @throws RelaydError MALFORMED_MESSAGE when it is not a list of this authority's, in its one encoding
 */
export function openRevocationList(bytes: Uint8Array, isSealed: IsSealed): RevocationList {
  const sealed = bytes.byteLength > MAX_REVOCATION_LIST_BYTES ? undefined : splitSealed(bytes);
  if (sealed === undefined) throw malformed(`${bytes.byteLength} bytes are no revocation list`);
  // First: what follows costs far more for a long list, and anyone may send one.
  if (!isSealed('revocations', sealed)) throw malformed("not signed by the realm's authority, or altered since");
  return decodeList(sealed.payload);
}

/** The number of a list that the authority with this public key has signed; `undefined` when it is no such list. */
export function signedSequence(bytes: Uint8Array, publicKey: Uint8Array): number | undefined {
  try {
    return openRevocationList(bytes, sealedBy(publicKey)).sequence;
  } catch {
    return undefined;
  }
}

function encodeList({ realm, sequence, issuedAtSeconds, entries }: RevocationList): Uint8Array {
  const writer = new MessageWriter().varint(1, VERSION).text(2, realm).varint(3, sequence).varint(4, issuedAtSeconds);
  entries.map(encodeEntry).sort((a, b) => Buffer.compare(a, b)).forEach((entry) => writer.bytes(5, entry));
  return writer.finish();
}

function encodeEntry(entry: Revocation): Uint8Array {
  const writer = new MessageWriter();
  if ('token' in entry) writer.bytes(1, Buffer.from(entry.token, 'hex'));
  else writer.bytes(2, entry.peer.toMultihash().bytes);
  return writer.varint(3, entry.untilSeconds).finish();
}

function decodeList(payload: Uint8Array): RevocationList {
  const head = new Map<number, Field>();
  const entries: Revocation[] = [];
  let last: Uint8Array = new Uint8Array();
  for (const field of readFields(payload)) {
    if (field.number !== 5) {
      head.set(field.number, field);
      continue;
    }
    const bytes = bytesOf(field);
    if (entries.length === MAX_REVOCATIONS || Buffer.compare(last, bytes) >= 0) throw malformed(`more than ${MAX_REVOCATIONS} revocations, one twice, or out of order`);
    entries.push(decodeEntry(bytes));
    last = bytes;
  }
  const [version, realm, sequence, issuedAt] = [1, 2, 3, 4].map((number) => head.get(number));
  if (version === undefined || realm === undefined || sequence === undefined || issuedAt === undefined || numberOf(version) !== VERSION) {
    throw malformed('a revocation list of another version, or without a field that every list has');
  }
  const list = { realm: checkedName(textOf(realm)), sequence: numberOf(sequence), issuedAtSeconds: numberOf(issuedAt), entries };
  if (Buffer.compare(encodeList(list), payload) !== 0) throw malformed('a revocation list that is not in its canonical encoding');
  return list;
}

function decodeEntry(bytes: Uint8Array): Revocation {
  const [token, peer, until] = [1, 2, 3].map((number) => [...readFields(bytes)].find((field) => field.number === number));
  const untilSeconds = until === undefined ? undefined : numberOf(until);
  if (token !== undefined && bytesOf(token).byteLength === ID_BYTES && untilSeconds !== undefined) {
    return { token: Buffer.from(bytesOf(token)).toString('hex'), untilSeconds };
  }
  if (peer === undefined) throw malformed('a revocation of neither a token nor a peer');
  return { peer: peerOf(peer), untilSeconds };
}
