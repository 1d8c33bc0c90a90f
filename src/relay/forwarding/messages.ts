import type { PeerId } from '@libp2p/interface';
import { decodeLimit, encodeLimit } from '../../lib/circuit/messages.ts';
import type { Limit } from '../../lib/circuit/messages.ts';
import { peerIdFromBytes } from '../../lib/circuit/voucher.ts';
import { MessageWriter, bytesOf, malformed, readFields, textOf } from '../../lib/protobuf.ts';
import { USER_CLASSES } from '../classes.ts';
import type { UserClass } from '../classes.ts';

/** Between two relays of a cluster (docs/reference/protocol-forward.md). */
export const FORWARD_PROTOCOL = '/relayd/forward/1.0.0';

/** In a refusal between relays: the target itself has not taken the circuit. */
export const DECLINED = 'declined';

/** What the relay that has the source asks of the one that has the target. It is answered with a STATUS of HOP. */
export interface ForwardRequest {
  readonly source: PeerId;
  readonly target: PeerId;
  /** As what the source is served. */
  readonly class: UserClass;
  /** Of the circuit, as the source is told; absent: none. */
  readonly limit: Limit | undefined;
  /** The id of the token that makes the source a member. */
  readonly tokenId: string | undefined;
  /** The name of the realm that the source is a member of, as far as it has one. */
  readonly realm: string | undefined;
}

export function encodeForward(request: ForwardRequest): Uint8Array {
  return new MessageWriter()
    .bytes(1, request.source.toMultihash().bytes)
    .bytes(2, request.target.toMultihash().bytes)
    .text(3, request.class)
    .bytes(4, request.limit && encodeLimit(request.limit))
    .text(5, request.tokenId)
    .text(6, request.realm)
    .finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeForward(buffer: Uint8Array): ForwardRequest {
  let source: PeerId | undefined;
  let target: PeerId | undefined;
  let limitClass: UserClass | undefined;
  let limit: Limit | undefined;
  let tokenId: string | undefined;
  let realm: string | undefined;
  for (const field of readFields(buffer)) {
    if (field.number === 1) source = peerOf(bytesOf(field));
    else if (field.number === 2) target = peerOf(bytesOf(field));
    else if (field.number === 3) limitClass = classOf(textOf(field));
    else if (field.number === 4) limit = decodeLimit(bytesOf(field));
    else if (field.number === 5) tokenId = textOf(field);
    else if (field.number === 6) realm = textOf(field);
  }
  if (source === undefined || target === undefined || limitClass === undefined) {
    throw malformed('a request without source, target or class');
  }
  return { source, target, class: limitClass, limit, tokenId, realm };
}

function peerOf(bytes: Uint8Array): PeerId {
  try {
    return peerIdFromBytes(bytes);
  } catch {
    throw malformed('a peer id that is none');
  }
}

function classOf(text: string): UserClass {
  const known = USER_CLASSES.find((name) => name === text);
  if (known === undefined) {
    throw malformed('a class that is not known');
  }
  return known;
}
