import { MessageWriter, bytesOf, fixed64Of, malformed, numberOf, readFields } from '../lib/protobuf.ts';

/**
 * The messages of AutoNAT v2 (specification: "AutonatV2", RPC Messages). A client asks on one stream; the server dials it and
 * brings the nonce back on a stream of the new connection.
 */
export const DIAL_REQUEST_PROTOCOL = '/libp2p/autonat/2/dial-request';
export const DIAL_BACK_PROTOCOL = '/libp2p/autonat/2/dial-back';

/** What became of a request. */
export const ResponseStatus = { INTERNAL_ERROR: 0, REQUEST_REJECTED: 100, DIAL_REFUSED: 101, OK: 200 } as const;

/** What became of the dial, when the server has dialled. */
export const DialStatus = { UNUSED: 0, DIAL_ERROR: 100, DIAL_BACK_ERROR: 101, OK: 200 } as const;

export type DialOutcome = (typeof DialStatus)['DIAL_ERROR' | 'DIAL_BACK_ERROR' | 'OK'];

/** go-libp2p's limit of a message on the request's stream. */
export const MAX_MESSAGE_BYTES = 8_192;

/** A nonce and its tag; go-libp2p reads 1 KiB. */
export const MAX_DIAL_BACK_BYTES = 1_024;

export interface DialRequest {
  readonly type: 'dialRequest';
  /** Multiaddrs in their binary form, the most wanted first. */
  readonly addrs: readonly Uint8Array[];
  readonly nonce: bigint;
}

export interface DialResponse {
  readonly type: 'dialResponse';
  readonly status: number;
  /** The place of the dialled address in the request. */
  readonly addrIndex: number;
  readonly dialStatus: number;
}

/** The price of a dial to an address at which the server does not see the client. */
export interface DialDataRequest {
  readonly type: 'dialDataRequest';
  readonly addrIndex: number;
  readonly sizeBytes: number;
}

export interface DialDataResponse {
  readonly type: 'dialDataResponse';
  readonly data: Uint8Array;
}

export type AutonatMessage = DialRequest | DialResponse | DialDataRequest | DialDataResponse;

export function encodeMessage(message: AutonatMessage): Uint8Array {
  const body = new MessageWriter();
  switch (message.type) {
    case 'dialRequest':
      message.addrs.forEach((addr) => body.bytes(1, addr));
      return wrapped(1, body.fixed64(2, message.nonce));
    case 'dialResponse':
      return wrapped(2, body.varint(1, message.status).varint(2, message.addrIndex).varint(3, message.dialStatus));
    case 'dialDataRequest':
      return wrapped(3, body.varint(1, message.addrIndex).varint(2, message.sizeBytes));
    case 'dialDataResponse':
      return wrapped(4, body.bytes(1, message.data));
  }
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeMessage(buffer: Uint8Array): AutonatMessage {
  let message: AutonatMessage | undefined;
  for (const field of readFields(buffer)) {
    // Of a `oneof`, the last that comes counts.
    message = DECODERS[field.number]?.(bytesOf(field)) ?? message;
  }
  if (message === undefined) {
    throw malformed('a message of no known type');
  }
  return message;
}

const DECODERS: Record<number, (body: Uint8Array) => AutonatMessage> = { 1: dialRequest, 2: dialResponse, 3: dialDataRequest, 4: dialDataResponse };

function dialRequest(body: Uint8Array): DialRequest {
  const addrs: Uint8Array[] = [];
  let nonce = 0n;
  for (const field of readFields(body)) {
    if (field.number === 1) addrs.push(bytesOf(field));
    else if (field.number === 2) nonce = fixed64Of(field);
  }
  return { type: 'dialRequest', addrs, nonce };
}

function dialResponse(body: Uint8Array): DialResponse {
  const [status = 0, addrIndex = 0, dialStatus = 0] = numbers(body, 3);
  return { type: 'dialResponse', status, addrIndex, dialStatus };
}

function dialDataRequest(body: Uint8Array): DialDataRequest {
  const [addrIndex = 0, sizeBytes = 0] = numbers(body, 2);
  return { type: 'dialDataRequest', addrIndex, sizeBytes };
}

function dialDataResponse(body: Uint8Array): DialDataResponse {
  let data = new Uint8Array();
  for (const field of readFields(body)) {
    if (field.number === 1) data = new Uint8Array(bytesOf(field));
  }
  return { type: 'dialDataResponse', data };
}

/** The varints of the fields 1 to `count`; proto3 leaves out what is 0. */
function numbers(body: Uint8Array, count: number): number[] {
  const values = Array<number>(count).fill(0);
  for (const field of readFields(body)) {
    if (field.number <= count) values[field.number - 1] = numberOf(field);
  }
  return values;
}

function wrapped(number: number, body: MessageWriter): Uint8Array {
  return new MessageWriter().bytes(number, body.finish()).finish();
}

export function encodeDialBack(nonce: bigint): Uint8Array {
  return new MessageWriter().fixed64(1, nonce).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeDialBack(buffer: Uint8Array): bigint {
  let nonce: bigint | undefined;
  for (const field of readFields(buffer)) {
    if (field.number === 1) nonce = fixed64Of(field);
  }
  if (nonce === undefined) {
    throw malformed('a dial-back without a nonce');
  }
  return nonce;
}

/** A DialBackResponse has one field, whose one value is the default: proto3 writes nothing. */
export const DIAL_BACK_RESPONSE = new Uint8Array();
