import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { randomBytes } from 'node:crypto';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import { malformed } from '../lib/protobuf.ts';
import type { DialBacks, Expected } from './autonat-dial-backs.ts';
import { DIAL_REQUEST_PROTOCOL, DialStatus, MAX_MESSAGE_BYTES, ResponseStatus, decodeMessage, encodeMessage } from './autonat-protocol.ts';
import type { AutonatMessage, DialDataRequest, DialResponse } from './autonat-protocol.ts';

/** The specification's servers ask for 30 kB to 100 kB. */
const MAX_DIAL_DATA_BYTES = 100_000;
const DIAL_DATA_PIECE_BYTES = 4_096;

/** The server's dial (go-libp2p: ten seconds), its stream (five), and the way there and back. */
const REQUEST_MS = 20_000;

/** The server says that it has handed the nonce over: it is here, or on its way on another connection. */
const NONCE_MS = 2_000;

export type CheckResult =
  | { readonly outcome: 'reachable' | 'unreachable'; readonly addr: Multiaddr }
  /** The server dials none of the addresses. */
  | { readonly outcome: 'refused' };

export interface CheckOptions {
  readonly connection: Connection;
  /** The most wanted first; the server dials one. */
  readonly addrs: readonly Multiaddr[];
  readonly dialBacks: DialBacks;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Asks a peer to dial this node.
 *
 * @throws RelaydError MALFORMED_MESSAGE for an answer that makes no sense or claims a dial that never came, CONNECT_REFUSED when
 * the peer serves no more now, UNEXPECTED_END, TIMEOUT; libp2p's error when no stream can be opened
 */
export function requestCheck(options: CheckOptions): Promise<CheckResult> {
  return withDeadline(REQUEST_MS, options.clock, [options.signal], async (signal) => {
    const nonce = randomBytes(8).readBigUInt64LE();
    const expected = options.dialBacks.expect(nonce);
    try {
      const response = await exchange(options, nonce, signal);
      return await judge(response, options, expected, signal);
    } finally {
      expected.forget();
    }
  });
}

async function exchange({ connection, addrs, clock }: CheckOptions, nonce: bigint, signal: AbortSignal): Promise<DialResponse> {
  const stream = await connection.newStream(DIAL_REQUEST_PROTOCOL, { signal });
  try {
    writeFrame(stream, encodeMessage({ type: 'dialRequest', addrs: addrs.map(({ bytes }) => bytes), nonce }));
    let message = await read(stream, signal);
    if (message.type === 'dialDataRequest') {
      payForDial(stream, message, addrs.length);
      message = await read(stream, signal);
    }
    if (message.type !== 'dialResponse') {
      throw malformed(`a ${message.type} in place of an answer`);
    }
    closeStream(stream, clock);
    return message;
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

async function read(stream: Stream, signal: AbortSignal): Promise<AutonatMessage> {
  return decodeMessage(await readFrame(stream, { signal, maxBytes: MAX_MESSAGE_BYTES }));
}

/** Specification: "Amplification Attack Prevention". Only what `data` holds counts; the last piece may be too long. */
function payForDial(stream: Stream, { addrIndex, sizeBytes }: DialDataRequest, addrs: number): void {
  if (addrIndex >= addrs || sizeBytes > MAX_DIAL_DATA_BYTES) {
    throw malformed(`a dial of address ${addrIndex} of ${addrs} for ${sizeBytes} bytes`);
  }
  const piece = encodeMessage({ type: 'dialDataResponse', data: new Uint8Array(DIAL_DATA_PIECE_BYTES) });
  for (let sent = 0; sent < sizeBytes; sent += DIAL_DATA_PIECE_BYTES) {
    writeFrame(stream, piece);
  }
}

async function judge({ status, addrIndex, dialStatus }: DialResponse, { addrs, clock }: CheckOptions, expected: Expected, signal: AbortSignal): Promise<CheckResult> {
  if (status === ResponseStatus.DIAL_REFUSED) {
    return { outcome: 'refused' };
  }
  if (status !== ResponseStatus.OK) {
    throw new RelaydError('CONNECT_REFUSED', `the peer does not dial back now (status ${status})`);
  }
  const addr = addrs[addrIndex];
  if (addr === undefined) {
    throw malformed(`an answer about address ${addrIndex} of ${addrs.length}`);
  }
  if (dialStatus === DialStatus.DIAL_ERROR) {
    return { outcome: 'unreachable', addr };
  }
  // Whatever the peer believes of its stream: the nonce has come, or it has not.
  await withDeadline(NONCE_MS, clock, [signal], () => expected.arrived);
  return { outcome: 'reachable', addr };
}
