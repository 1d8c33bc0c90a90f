import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { decodeStop, encodeStop } from '../lib/circuit/messages.ts';
import type { Limit } from '../lib/circuit/messages.ts';
import { STOP_PROTOCOL, Status, statusName } from '../lib/circuit/protocol.ts';
import { deadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { holdCredit } from '../lib/flow.ts';
import { peerText } from '../lib/logger.ts';
import type { RelayContext } from './context.ts';
import { Refused } from './refusal.ts';

/** How long the target may take to answer STOP, the opening of the stream included (conformance 22), and the way to it over other relays. */
const STOP_DEADLINE_MS = 10_000;

/**
 * A target that has not answered by then is asked over the next relay that holds its reservation as well: its connection to this one may be broken, and nobody
 * know it yet. Longer than the two round trips that a far one needs, as who is asked twice has to let one circuit go.
 */
export const NEXT_AFTER_MS = 1_000;

/** The target itself has not taken the circuit: it would not over another relay. */
export class Declined extends Refused {
  constructor(message: string) {
    super('connection failed');
    this.message = message;
  }
}

/** What the target is told of a circuit. */
export interface Offer {
  readonly source: PeerId;
  /** As the source is told. */
  readonly limit: Limit | undefined;
}

/**
 * Reaches for a target as long as a source may be kept waiting, and as long as it waits.
 *
 * @param stream the circuit's other end: nobody waits when it is closed
 * @throws RelaydError CLOSED when it is closed already; what `reach` throws
 */
export async function whileWaited<T>(context: RelayContext, stream: Stream, reach: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (stream.status !== 'open') {
    throw new RelaydError('CLOSED', 'the source is gone');
  }
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new Error('the source is gone'));
  stream.addEventListener('close', onClose);
  const limit = deadline(STOP_DEADLINE_MS, context.clock, gone.signal, context.stopped);
  try {
    return await reach(limit.signal);
  } finally {
    limit.clear();
    stream.removeEventListener('close', onClose);
  }
}

/**
 * Opens the stream to the target and has it accept the circuit. Any other outcome is 203 (conformance 19-22).
 *
 * @throws Refused; Declined when the target has answered
 */
export async function openStop(context: RelayContext, target: Connection, offer: Offer, signal: AbortSignal): Promise<Stream> {
  let stream: Stream | undefined;
  try {
    stream = await target.newStream([STOP_PROTOCOL], { signal, maxOutboundStreams: Infinity });
    await handshake(stream, offer, signal);
    return stream;
  } catch (error) {
    stream?.abort(toError(error));
    context.log.debug({ target: target.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'the target did not take a circuit');
    throw error instanceof Declined ? error : new Refused('connection failed');
  }
}

async function handshake(stream: Stream, { source, limit }: Offer, signal: AbortSignal): Promise<void> {
  writeFrame(stream, encodeStop({ type: 'CONNECT', peer: { id: source.toMultihash().bytes, addrs: [] }, limit }));
  const answer = decodeStop(await readFrame(stream, { signal }));
  holdCredit(stream);
  if (answer.type !== 'STATUS') {
    throw new Declined(`it answered with ${answer.type ?? 'an unknown message'} instead of STATUS`);
  }
  if (answer.status !== Status.OK) {
    throw new Declined(`it answered ${statusName(answer.status)}`);
  }
}
