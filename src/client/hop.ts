import type { Connection, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { decodeHop, encodeHop } from '../lib/circuit/messages.ts';
import type { HopMessage, Refusal } from '../lib/circuit/messages.ts';
import { HOP_PROTOCOL, Status, statusName } from '../lib/circuit/protocol.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import type { ErrorCode } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';

/**
 * Every circuit is one HOP stream on the connection to its relay; libp2p's default of 64 would end a busy
 * client there. What a relay allows is for the relay to say.
 */
const MAX_HOP_STREAMS = 4096;

interface HopReply {
  stream: Stream;
  message: HopMessage;
}

/**
 * Sends one request over HOP and reads the relay's STATUS. The stream is returned open: for CONNECT it is the circuit.
 *
 * @throws RelaydError `refused` with data {status, statusName, refusal, relay} when the status is not OK;
 * MALFORMED_MESSAGE or UNEXPECTED_END for a reply that is not a STATUS; the signal's reason; libp2p's errors when the
 * stream cannot be opened
 */
export async function requestHop(connection: Connection, request: HopMessage, refused: ErrorCode, signal: AbortSignal): Promise<HopReply> {
  const stream = await connection.newStream(HOP_PROTOCOL, { signal, maxOutboundStreams: MAX_HOP_STREAMS });
  try {
    writeFrame(stream, encodeHop(request));
    const message = decodeHop(await readFrame(stream, { signal }));
    assertOk(message, refused, connection);
    return { stream, message };
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

function assertOk(message: HopMessage, refused: ErrorCode, connection: Connection): void {
  if (message.type !== 'STATUS') {
    throw new RelaydError('MALFORMED_MESSAGE', `the relay answered with ${message.type ?? 'an unknown message'} in place of STATUS`);
  }
  if (message.status !== Status.OK) {
    const relay = connection.remotePeer.toString();
    const data = { status: message.status, statusName: statusName(message.status), refusal: message.refusal, relay };
    throw new RelaydError(refused, `relay ${relay} answered ${data.statusName}${explain(message.refusal)}`, { data });
  }
}

function explain(refusal: Refusal | undefined): string {
  if (refusal === undefined) {
    return '';
  }
  const parts = [
    peerText(refusal.limit),
    refusal.maximum === undefined ? '' : `${refusal.current ?? '?'} of ${refusal.maximum}`,
    refusal.retryAfterSeconds === undefined ? '' : `try again in ${refusal.retryAfterSeconds} s`,
    peerText(refusal.explanation ?? ''),
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
