import { MessageWriter, bytesOf, malformed, numberOf, readFields, saturatedNumberOf } from '../../lib/protobuf.ts';

/** Specification: docs/reference/protocol-cluster.md */
export const CLUSTER_PROTOCOL = '/relayd/cluster/1.0.0';

/** Random bytes that each side gives for the other's proof. */
export const NONCE_BYTES = 32;
/** HMAC-SHA-256. */
const PROOF_BYTES = 32;

/** What stands around the body of a question or answer: three numbers and the field headers. */
export const FRAME_OVERHEAD_BYTES = 64;

/** Longest frame of the handshake: one field of 32 bytes, and room for fields of later versions. */
export const MAX_HANDSHAKE_FRAME_BYTES = 256;

export type LinkFrame =
  | { readonly type: 'question'; readonly id: number; readonly kind: number; readonly body: Uint8Array }
  | { readonly type: 'answer'; readonly id: number; readonly body: Uint8Array }
  | { readonly type: 'refusal'; readonly id: number; readonly busy: boolean }
  | { readonly type: 'ping'; readonly id: number }
  /** `wallMs`: Unix milliseconds by the clock of who answers; `undefined` from a relay that does not tell. */
  | { readonly type: 'pong'; readonly id: number; readonly wallMs: number | undefined };

const TYPES = { question: 1, answer: 2, refusal: 3, ping: 4, pong: 5 } as const;

export function encodeNonce(nonce: Uint8Array): Uint8Array {
  return new MessageWriter().bytes(1, nonce).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeNonce(body: Uint8Array): Uint8Array {
  return onlyBytes(body, 1, NONCE_BYTES);
}

export function encodeProof(proof: Uint8Array): Uint8Array {
  return new MessageWriter().bytes(2, proof).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeProof(body: Uint8Array): Uint8Array {
  return onlyBytes(body, 2, PROOF_BYTES);
}

export function encodeFrame(frame: LinkFrame): Uint8Array {
  const writer = new MessageWriter().varint(1, TYPES[frame.type]).varint(2, frame.id);
  if (frame.type === 'question') writer.varint(3, frame.kind);
  if (frame.type === 'question' || frame.type === 'answer') writer.bytes(4, frame.body);
  if (frame.type === 'refusal') writer.varint(5, frame.busy ? 1 : 0);
  // Unsigned: a clock that was never set may be before 1970.
  if (frame.type === 'pong') writer.varint(6, frame.wallMs === undefined ? undefined : Math.max(0, Math.round(frame.wallMs)));
  return writer.finish();
}

/** @returns `undefined` for a type of a later version. @throws RelaydError MALFORMED_MESSAGE */
export function decodeFrame(bytes: Uint8Array): LinkFrame | undefined {
  const numbers: Record<number, number> = {};
  let body: Uint8Array = new Uint8Array();
  for (const field of readFields(bytes)) {
    if (field.number === 4) body = bytesOf(field);
    else if (field.number <= 5) numbers[field.number] = numberOf(field);
    else if (field.number === 6) numbers[6] = saturatedNumberOf(field);
  }
  const { 1: type, 2: id, 3: kind, 5: busy, 6: wallMs } = numbers;
  if (type === undefined || id === undefined) {
    throw malformed('a frame without a type or an id');
  }
  switch (type) {
    case TYPES.question:
      if (kind === undefined) throw malformed('a question without a kind');
      return { type: 'question', id, kind, body };
    case TYPES.answer:
      return { type: 'answer', id, body };
    case TYPES.refusal:
      return { type: 'refusal', id, busy: busy === 1 };
    case TYPES.ping:
      return { type: 'ping', id };
    case TYPES.pong:
      return { type: 'pong', id, wallMs };
    default:
      return undefined;
  }
}

function onlyBytes(body: Uint8Array, number: number, length: number): Uint8Array {
  let found: Uint8Array | undefined;
  for (const field of readFields(body)) {
    if (field.number === number) found = bytesOf(field);
  }
  if (found?.byteLength !== length) {
    throw malformed(`field ${number} is to have ${length} bytes`);
  }
  return found;
}
