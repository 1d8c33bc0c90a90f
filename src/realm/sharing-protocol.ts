import { MessageWriter, bytesOf, malformed, numberOf, readFields } from '../lib/protobuf.ts';
import { MAX_REVOCATION_LIST_BYTES } from './revocation-list.ts';

/**
 * The messages of `/relayd/revocations/1.0.0`, protobuf, each behind a varint length: nodes of a realm tell each other which revocation
 * list they have, and give it. docs/reference/protocol-revocations.md is the description for other implementations.
 */
export const REVOCATIONS_PROTOCOL = '/relayd/revocations/1.0.0';

/** The longest first message of a stream, in bytes, without its length prefix: it holds no list. */
export const MAX_NEWS_BYTES = 256;

/** The longest answer: a list, and what stands beside it. */
export const MAX_ANSWER_BYTES = MAX_REVOCATION_LIST_BYTES + MAX_NEWS_BYTES;

const AUTHORITY_BYTES = 32;

export interface SharingMessage {
  /** The public key of the realm's authority: whose lists this is about. */
  readonly authority: Uint8Array;
  /** Of the newest list that the sender has; 0 where it has none. */
  readonly sequence: number;
  /** The sender asks for a newer one. */
  readonly wants: boolean;
  readonly list?: Uint8Array;
}

export function encodeMessage({ authority, sequence, wants, list }: SharingMessage): Uint8Array {
  return new MessageWriter().bytes(1, authority).varint(2, sequence).varint(3, wants ? 1 : undefined).bytes(4, list).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeMessage(body: Uint8Array): SharingMessage {
  let [authority, list]: (Uint8Array | undefined)[] = [];
  let sequence = 0;
  let wants = false;
  for (const field of readFields(body)) {
    if (field.number === 1) authority = bytesOf(field);
    else if (field.number === 2) sequence = numberOf(field);
    else if (field.number === 3) wants = numberOf(field) !== 0;
    else if (field.number === 4) list = bytesOf(field);
  }
  if (authority?.byteLength !== AUTHORITY_BYTES) {
    throw malformed('a message that names no authority');
  }
  return { authority, sequence, wants, ...(list === undefined ? {} : { list }) };
}
