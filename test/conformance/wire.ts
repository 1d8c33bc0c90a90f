import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { asBytes, asNumber, asText, field, join, readMessage, takeVarint, varint } from './protobuf.ts';
import type { WireField } from './protobuf.ts';

/**
 * The messages of circuit relay v2 as the specification writes them down (libp2p/specs,
 * relay/circuit-v2.md, "Protobuf", and RFC 0002 for the envelope), for the conformance tests only. Must not
 * import anything of src/: the tests judge that code by this one.
 */
export const HOP = '/libp2p/circuit/relay/0.2.0/hop';
export const STOP = '/libp2p/circuit/relay/0.2.0/stop';

export const OK = 100;
export const RESERVATION_REFUSED = 200;
export const RESOURCE_LIMIT_EXCEEDED = 201;
export const PERMISSION_DENIED = 202;
export const CONNECTION_FAILED = 203;
export const NO_RESERVATION = 204;
export const MALFORMED_MESSAGE = 400;
export const UNEXPECTED_MESSAGE = 401;

/** HopMessage.Type */
export const HOP_RESERVE = 0;
export const HOP_CONNECT = 1;
export const HOP_STATUS = 2;
/** StopMessage.Type */
export const STOP_CONNECT = 0;
export const STOP_STATUS = 1;

/** Longest message that a peer must accept, in bytes. */
const MAX_FRAME = 4096;

export interface HopMessage {
  type?: number;
  peer?: Peer;
  reservation?: Reservation;
  limit?: Limit;
  status?: number;
  /** p2p-relayd's extension, field 100. */
  refusal?: Refusal;
}

export interface StopMessage {
  type?: number;
  peer?: Peer;
  limit?: Limit;
  status?: number;
}

export interface Peer {
  id?: Uint8Array;
  addrs: Uint8Array[];
}

export interface Reservation {
  /** Unix time, seconds. */
  expire?: number;
  addrs: Uint8Array[];
  voucher?: Uint8Array;
}

export interface Limit {
  /** Seconds. */
  duration?: number;
  /** Bytes in each direction. */
  data?: number;
}

export interface Refusal {
  limit?: string;
  current?: number;
  maximum?: number;
  retryAfterSeconds?: number;
  /** Multiaddrs as text. */
  alternatives: string[];
}

export interface Envelope {
  publicKey: Uint8Array;
  payloadType: Uint8Array;
  payload: Uint8Array;
  signature: Uint8Array;
}

/** Domain and payload type of a voucher (specification: "Reservation Vouchers"; go-libp2p's registration). */
export const VOUCHER_DOMAIN = 'libp2p-relay-rsvp';
export const VOUCHER_TYPE = Uint8Array.of(0x03, 0x02);

const REFUSAL = 100;

/** A message with its length in front, as both protocols send it. */
export function frame(body: Uint8Array): Uint8Array {
  return join(varint(body.length), body);
}

/** The first frame of `buffer`; `undefined` while it is not whole. @throws Error when it is longer than 4096 bytes */
export function takeFrame(buffer: Uint8Array): { body: Uint8Array; end: number } | undefined {
  const length = takeVarint(buffer, 0);
  if (length === undefined) {
    return undefined;
  }
  const size = Number(length.value);
  if (size > MAX_FRAME) throw new Error(`a frame of ${size} bytes`);
  const end = length.end + size;
  return buffer.length < end ? undefined : { body: buffer.slice(length.end, end), end };
}

export function encodeHop(message: HopMessage): Uint8Array {
  return join(
    field(1, message.type),
    field(2, message.peer && encodePeer(message.peer)),
    field(3, message.reservation && encodeReservation(message.reservation)),
    field(4, message.limit && encodeLimit(message.limit)),
    field(5, message.status),
  );
}

export function decodeHop(body: Uint8Array): HopMessage {
  const message: HopMessage = {};
  for (const { number, value } of once(readMessage(body))) {
    if (number === 1) message.type = asNumber(value);
    else if (number === 2) message.peer = decodePeer(asBytes(value));
    else if (number === 3) message.reservation = decodeReservation(asBytes(value));
    else if (number === 4) message.limit = decodeLimit(asBytes(value));
    else if (number === 5) message.status = asNumber(value);
    else if (number === REFUSAL) message.refusal = decodeRefusal(asBytes(value));
    else throw new Error(`a field ${number}, which neither the specification nor p2p-relayd has`);
  }
  return message;
}

export function encodeStop(message: StopMessage): Uint8Array {
  return join(
    field(1, message.type),
    field(2, message.peer && encodePeer(message.peer)),
    field(3, message.limit && encodeLimit(message.limit)),
    field(4, message.status),
  );
}

export function decodeStop(body: Uint8Array): StopMessage {
  const message: StopMessage = {};
  for (const { number, value } of once(readMessage(body))) {
    if (number === 1) message.type = asNumber(value);
    else if (number === 2) message.peer = decodePeer(asBytes(value));
    else if (number === 3) message.limit = decodeLimit(asBytes(value));
    else if (number === 4) message.status = asNumber(value);
    else throw new Error(`a field ${number}, which the specification does not have`);
  }
  return message;
}

export function encodeVoucher(voucher: { relay: PeerId; peer: PeerId; expiration: number }): Uint8Array {
  return join(field(1, idBytes(voucher.relay)), field(2, idBytes(voucher.peer)), field(3, voucher.expiration));
}

/** Field 5 for the signature: RFC 0002 writes 4, every implementation has 5 (go-libp2p core/record/pb). */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const fields = new Map([...once(readMessage(bytes))].map((one) => [one.number, asBytes(one.value)]));
  const part = (number: number): Uint8Array => {
    const value = fields.get(number);
    if (value === undefined) throw new Error(`an envelope without field ${number}`);
    return value;
  };
  return { publicKey: part(1), payloadType: part(2), payload: part(3), signature: part(5) };
}

/** The signer of an envelope. @throws Error when the signature is not valid for `domain` */
export async function verifyEnvelope(envelope: Envelope, domain: string): Promise<PeerId> {
  const key = publicKeyFromProtobuf(envelope.publicKey);
  const signed = signedBytes(domain, envelope.payloadType, envelope.payload);
  if (!(await key.verify(signed, envelope.signature))) {
    throw new Error(`the envelope's signature is not one for the domain "${domain}"`);
  }
  return peerIdFromPublicKey(key);
}

export async function sealEnvelope(
  key: PrivateKey,
  payload: Uint8Array,
  options: { domain?: string; payloadType?: Uint8Array } = {},
): Promise<Uint8Array> {
  const payloadType = options.payloadType ?? VOUCHER_TYPE;
  const signature = await key.sign(signedBytes(options.domain ?? VOUCHER_DOMAIN, payloadType, payload));
  return join(field(1, publicKeyToProtobuf(key.publicKey)), field(2, payloadType), field(3, payload), field(5, signature));
}

/** The binary form of a peer id in the messages: its multihash. */
export function idBytes(peer: PeerId): Uint8Array {
  return peer.toMultihash().bytes;
}

/** RFC 0002, "Signature Production / Verification": domain, type and payload, each behind its length. */
function signedBytes(domain: string, payloadType: Uint8Array, payload: Uint8Array): Uint8Array {
  return join(...[new TextEncoder().encode(domain), payloadType, payload].map(frame));
}

function encodePeer(peer: Peer): Uint8Array {
  return join(field(1, peer.id), ...peer.addrs.map((addr) => field(2, addr)));
}

function decodePeer(body: Uint8Array): Peer {
  const peer: Peer = { addrs: [] };
  for (const { number, value } of once(readMessage(body), 2)) {
    if (number === 1) peer.id = asBytes(value);
    else if (number === 2) peer.addrs.push(asBytes(value));
  }
  return peer;
}

function encodeReservation(reservation: Reservation): Uint8Array {
  const addrs = reservation.addrs.map((addr) => field(2, addr));
  return join(field(1, reservation.expire), ...addrs, field(3, reservation.voucher));
}

function decodeReservation(body: Uint8Array): Reservation {
  const reservation: Reservation = { addrs: [] };
  for (const { number, value } of once(readMessage(body), 2)) {
    if (number === 1) reservation.expire = asNumber(value);
    else if (number === 2) reservation.addrs.push(asBytes(value));
    else if (number === 3) reservation.voucher = asBytes(value);
  }
  return reservation;
}

function encodeLimit(limit: Limit): Uint8Array {
  return join(field(1, limit.duration), field(2, limit.data));
}

function decodeLimit(body: Uint8Array): Limit {
  const limit: Limit = {};
  for (const { number, value } of once(readMessage(body))) {
    if (number === 1) limit.duration = asNumber(value);
    else if (number === 2) limit.data = asNumber(value);
  }
  return limit;
}

function decodeRefusal(body: Uint8Array): Refusal {
  const refusal: Refusal = { alternatives: [] };
  for (const { number, value } of once(readMessage(body), 5)) {
    if (number === 1) refusal.limit = asText(value);
    else if (number === 2) refusal.current = asNumber(value);
    else if (number === 3) refusal.maximum = asNumber(value);
    else if (number === 4) refusal.retryAfterSeconds = asNumber(value);
    else if (number === 5) refusal.alternatives.push(asText(value));
  }
  return refusal;
}

/** The fields as they are; a field twice that is not `repeated` is a mistake of the sender. */
function* once(fields: WireField[], repeated?: number): Generator<WireField> {
  const seen = new Set<number>();
  for (const one of fields) {
    if (seen.has(one.number) && one.number !== repeated) throw new Error(`field ${one.number} twice`);
    seen.add(one.number);
    yield one;
  }
}
