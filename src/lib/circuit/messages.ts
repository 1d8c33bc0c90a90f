import { MessageWriter, bytesOf, numberOf, readFields, saturatedNumberOf, textOf } from '../protobuf.ts';
import type { Field } from '../protobuf.ts';

/**
 * The messages of HOP and STOP (specification: relay/circuit-v2.md, "Protobuf" of each protocol). The
 * `type` of a decoded message is `undefined` where it is missing or not one that the specification has.
 */
export interface HopMessage {
  type: 'RESERVE' | 'CONNECT' | 'STATUS' | undefined;
  peer?: CircuitPeer;
  reservation?: Reservation;
  limit?: Limit;
  status?: number;
  /** Our extension, field 100: why a request was refused. Peers that do not know it skip it. */
  refusal?: Refusal;
  /** Our extension, field 101 of a request: a realm's token, as its holder got it. */
  token?: Uint8Array;
  /** Our extension, field 102 of an OK reply to a request with a token. */
  membership?: MembershipAnswer;
}

export interface StopMessage {
  type: 'CONNECT' | 'STATUS' | undefined;
  peer?: CircuitPeer;
  limit?: Limit;
  status?: number;
}

export interface CircuitPeer {
  /** The multihash bytes of a peer id. */
  id: Uint8Array;
  addrs: Uint8Array[];
}

export interface Reservation {
  /** Unix time in seconds. */
  expire: number;
  /** Multiaddrs of the relay, binary, with its peer id, without `/p2p-circuit`. */
  addrs: Uint8Array[];
  /** A signed envelope; see voucher.ts. */
  voucher?: Uint8Array;
  /** Our extension, field 100: what is left of it now. Unlike `expire` it needs no two clocks that agree. */
  ttlSeconds?: number;
}

/** What a circuit may use; an absent field, or 0 in one, is unlimited. */
export interface Limit {
  durationSeconds?: number;
  /** Bytes in each direction. */
  dataBytes?: number;
}

export interface Refusal {
  /** The config key of the limit, such as `reservations.max`. */
  limit: string;
  current?: number;
  maximum?: number;
  retryAfterSeconds?: number;
  /** Full multiaddrs of other relays. */
  alternatives: string[];
  /** For people; never to be acted on. */
  explanation?: string;
}

/** As what a peer that presented a token is served. */
export interface MembershipAnswer {
  /** The limit class, such as `member`. */
  class: string;
  /** Why the token does not count; absent where it does. */
  problem?: string;
}

const HOP_TYPES = ['RESERVE', 'CONNECT', 'STATUS'] as const;
const STOP_TYPES = ['CONNECT', 'STATUS'] as const;
const REFUSAL_FIELD = 100;
const TOKEN_FIELD = 101;
const MEMBERSHIP_FIELD = 102;
const TTL_FIELD = 100;

/** More addresses than a 4 KiB frame can usefully hold are not kept. */
const MAX_ADDRS = 64;

export function encodeHop(message: HopMessage): Uint8Array {
  return new MessageWriter()
    .varint(1, message.type === undefined ? undefined : HOP_TYPES.indexOf(message.type))
    .bytes(2, message.peer && encodePeer(message.peer))
    .bytes(3, message.reservation && encodeReservation(message.reservation))
    .bytes(4, message.limit && encodeLimit(message.limit))
    .varint(5, message.status)
    .bytes(REFUSAL_FIELD, message.refusal && encodeRefusal(message.refusal))
    .bytes(TOKEN_FIELD, message.token)
    .bytes(MEMBERSHIP_FIELD, message.membership && encodeMembership(message.membership))
    .finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeHop(buffer: Uint8Array): HopMessage {
  const message: HopMessage = { type: undefined };
  for (const field of readFields(buffer)) {
    if (field.number === 1) message.type = HOP_TYPES[numberOf(field)];
    else if (field.number === 2) message.peer = decodePeer(bytesOf(field));
    else if (field.number === 3) message.reservation = decodeReservation(bytesOf(field));
    else if (field.number === 4) message.limit = decodeLimit(bytesOf(field));
    else if (field.number === 5) message.status = numberOf(field);
    else if (field.number === REFUSAL_FIELD) message.refusal = decodeRefusal(bytesOf(field));
    else if (field.number === TOKEN_FIELD) message.token = bytesOf(field);
    else if (field.number === MEMBERSHIP_FIELD) message.membership = decodeMembership(bytesOf(field));
  }
  return message;
}

export function encodeStop(message: StopMessage): Uint8Array {
  return new MessageWriter()
    .varint(1, message.type === undefined ? undefined : STOP_TYPES.indexOf(message.type))
    .bytes(2, message.peer && encodePeer(message.peer))
    .bytes(3, message.limit && encodeLimit(message.limit))
    .varint(4, message.status)
    .finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeStop(buffer: Uint8Array): StopMessage {
  const message: StopMessage = { type: undefined };
  for (const field of readFields(buffer)) {
    if (field.number === 1) message.type = STOP_TYPES[numberOf(field)];
    else if (field.number === 2) message.peer = decodePeer(bytesOf(field));
    else if (field.number === 3) message.limit = decodeLimit(bytesOf(field));
    else if (field.number === 4) message.status = numberOf(field);
  }
  return message;
}

function encodePeer(peer: CircuitPeer): Uint8Array {
  const writer = new MessageWriter().bytes(1, peer.id);
  peer.addrs.forEach((addr) => writer.bytes(2, addr));
  return writer.finish();
}

function decodePeer(buffer: Uint8Array): CircuitPeer {
  const peer: CircuitPeer = { id: new Uint8Array(), addrs: [] };
  for (const field of readFields(buffer)) {
    if (field.number === 1) peer.id = bytesOf(field);
    else if (field.number === 2) keep(peer.addrs, bytesOf(field));
  }
  return peer;
}

function encodeReservation(reservation: Reservation): Uint8Array {
  const writer = new MessageWriter().varint(1, reservation.expire);
  reservation.addrs.forEach((addr) => writer.bytes(2, addr));
  return writer.bytes(3, reservation.voucher).varint(TTL_FIELD, reservation.ttlSeconds).finish();
}

function decodeReservation(buffer: Uint8Array): Reservation {
  const reservation: Reservation = { expire: 0, addrs: [] };
  for (const field of readFields(buffer)) {
    if (field.number === 1) reservation.expire = saturatedNumberOf(field);
    else if (field.number === 2) keep(reservation.addrs, bytesOf(field));
    else if (field.number === 3) reservation.voucher = bytesOf(field);
    else if (field.number === TTL_FIELD) reservation.ttlSeconds = saturatedNumberOf(field);
  }
  return reservation;
}

export function encodeLimit(limit: Limit): Uint8Array {
  return new MessageWriter().varint(1, limit.durationSeconds).varint(2, limit.dataBytes).finish();
}

export function decodeLimit(buffer: Uint8Array): Limit {
  const limit: Limit = {};
  for (const field of readFields(buffer)) {
    if (field.number === 1) limit.durationSeconds = saturatedNumberOf(field);
    else if (field.number === 2) limit.dataBytes = saturatedNumberOf(field);
  }
  return limit;
}

function encodeRefusal(refusal: Refusal): Uint8Array {
  const writer = new MessageWriter()
    .text(1, refusal.limit)
    .varint(2, refusal.current)
    .varint(3, refusal.maximum)
    .varint(4, refusal.retryAfterSeconds);
  refusal.alternatives.forEach((addr) => writer.text(5, addr));
  return writer.text(6, refusal.explanation).finish();
}

function decodeRefusal(buffer: Uint8Array): Refusal {
  const refusal: Refusal = { limit: '', alternatives: [] };
  for (const field of readFields(buffer)) {
    readRefusalField(refusal, field);
  }
  return refusal;
}

function readRefusalField(refusal: Refusal, field: Field): void {
  if (field.number === 1) refusal.limit = textOf(field);
  else if (field.number === 2) refusal.current = saturatedNumberOf(field);
  else if (field.number === 3) refusal.maximum = saturatedNumberOf(field);
  else if (field.number === 4) refusal.retryAfterSeconds = saturatedNumberOf(field);
  else if (field.number === 5) keep(refusal.alternatives, textOf(field));
  else if (field.number === 6) refusal.explanation = textOf(field);
}

function encodeMembership(membership: MembershipAnswer): Uint8Array {
  return new MessageWriter().text(1, membership.class).text(2, membership.problem).finish();
}

function decodeMembership(buffer: Uint8Array): MembershipAnswer {
  const membership: MembershipAnswer = { class: '' };
  for (const field of readFields(buffer)) {
    if (field.number === 1) membership.class = textOf(field);
    else if (field.number === 2) membership.problem = textOf(field);
  }
  return membership;
}

function keep<T>(list: T[], item: T): void {
  if (list.length < MAX_ADDRS) {
    list.push(item);
  }
}
