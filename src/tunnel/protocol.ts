import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';

/**
 * The messages of `/relayd/tunnel/1.0.0`: one request and one answer, protobuf, each behind a varint length.
 * docs/reference/protocol-tunnel.md is the description for other implementations.
 */
export const TUNNEL_PROTOCOL = '/relayd/tunnel/1.0.0';

/** The longest request or answer, in bytes, without its length prefix: the longest name and the longest token of a realm fit. */
export const MAX_TUNNEL_FRAME_BYTES = 2048;

/** The longest service name, in bytes of UTF-8: a request with it still fits its frame. */
export const MAX_SERVICE_NAME_BYTES = 255;

/** The longest text of an answer that is sent or kept, in bytes of UTF-8. */
export const MAX_ANSWER_TEXT_BYTES = 255;

/** What an answer says; the numbers are on the wire. */
export const TunnelStatus = {
  OK: 100,
  /** No such service, or not for this peer: which of the two is not told. */
  UNKNOWN_OR_FORBIDDEN: 200,
  /** The service is there, its TCP port did not answer. */
  UNREACHABLE: 201,
  /** A limit of the exposing side is reached; later may work. */
  OVERLOADED: 202,
  /** The request could not be read. */
  MALFORMED: 400,
} as const;

export type TunnelStatusCode = (typeof TunnelStatus)[keyof typeof TunnelStatus];

export interface TunnelRequest {
  name: string;
  /** A realm's token, as its holder got it. */
  token?: Uint8Array;
}

export interface TunnelAnswer {
  /** One of {@link TunnelStatus}, or a number of a later version. */
  status: number;
  text: string;
}

const NAMES = new Map<number, string>(Object.entries(TunnelStatus).map(([name, code]) => [code, name]));

/** The name of a status on the wire; `UNKNOWN(n)` for one that this version does not have. */
export function tunnelStatusName(status: number): string {
  return NAMES.get(status) ?? `UNKNOWN(${status})`;
}

/** @throws RelaydError MALFORMED_MESSAGE when the name is empty or too long */
export function encodeRequest(request: TunnelRequest): Uint8Array {
  return new MessageWriter().text(1, checkedName(request.name)).bytes(2, request.token).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeRequest(body: Uint8Array): TunnelRequest {
  let name = '';
  let token: Uint8Array | undefined;
  for (const field of readFields(body)) {
    if (field.number === 1) name = textOf(field);
    if (field.number === 2) token = bytesOf(field);
  }
  return { name: checkedName(name), ...(token === undefined ? {} : { token }) };
}

/** The text is cut to {@link MAX_ANSWER_TEXT_BYTES}. */
export function encodeAnswer(answer: TunnelAnswer): Uint8Array {
  const text = cutText(answer.text);
  return new MessageWriter().varint(1, answer.status).text(2, text === '' ? undefined : text).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeAnswer(body: Uint8Array): TunnelAnswer {
  let status: number | undefined;
  let text = '';
  for (const field of readFields(body)) {
    if (field.number === 1) status = numberOf(field);
    if (field.number === 2) text = textOf(field);
  }
  if (status === undefined) {
    throw malformed('an answer without a status');
  }
  return { status, text: cutText(text) };
}

function checkedName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) {
    throw malformed('a request without a service name');
  }
  if (bytes > MAX_SERVICE_NAME_BYTES) {
    throw malformed(`a service name of ${bytes} bytes; at most ${MAX_SERVICE_NAME_BYTES} are accepted`);
  }
  return name;
}

/** Cuts between characters, never inside one. */
function cutText(text: string): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_ANSWER_TEXT_BYTES) {
      return text.slice(0, end);
    }
    end += character.length;
  }
  return text;
}
