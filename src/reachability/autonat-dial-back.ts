import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { deadline } from '../lib/deadline.ts';
import { toError } from '../lib/errors.ts';
import { readExactly } from '../lib/read-stream.ts';
import { DIAL_BACK_PROTOCOL, DialStatus, encodeDialBack } from './autonat-protocol.ts';
import type { DialOutcome } from './autonat-protocol.ts';

/** A libp2p node of its own, with another identity and no listener, from which clients are dialled. */
export interface DialBackHost {
  start(): Promise<void>;
  stop(): Promise<void>;
  isDialable(addr: Multiaddr): Promise<boolean>;
  /** A new connection to `addr`, which ends in a peer id. @throws the reason why there is none */
  dial(addr: Multiaddr, signal: AbortSignal): Promise<Connection>;
}

/** A handshake is four round trips: two seconds each, which no path on Earth needs. go-libp2p grants ten. */
const DIAL_MS = 8_000;

/** For the nonce and its answer: a stream, negotiated, there and back. */
const STREAM_MS = 5_000;

/**
 * Dials `addr` and hands the nonce over.
 *
 * @throws the dial's error when the reason is on this machine: it says nothing of the client
 */
export async function dialBack(host: DialBackHost, addr: Multiaddr, nonce: bigint, clock: Clock, stopped: AbortSignal): Promise<DialOutcome> {
  let connection: Connection;
  const dialling = deadline(DIAL_MS, clock, stopped);
  try {
    connection = await host.dial(addr, dialling.signal);
  } catch (error) {
    if (stopped.aborted || isOwnFault(error)) throw error;
    return DialStatus.DIAL_ERROR;
  } finally {
    dialling.clear();
  }
  return handOver(connection, nonce, clock, stopped);
}

async function handOver(connection: Connection, nonce: bigint, clock: Clock, stopped: AbortSignal): Promise<DialOutcome> {
  const speaking = deadline(STREAM_MS, clock, stopped);
  try {
    const stream = await connection.newStream(DIAL_BACK_PROTOCOL, { signal: speaking.signal });
    writeFrame(stream, encodeDialBack(nonce));
    // The answer says that the nonce has arrived. It is an empty message: the byte of its length is all that there is.
    await readExactly(stream, 1, speaking.signal);
    await connection.close({ signal: speaking.signal });
    return DialStatus.OK;
  } catch (error) {
    connection.abort(toError(error));
    return DialStatus.DIAL_BACK_ERROR;
  } finally {
    speaking.clear();
  }
}

/** No descriptors, no memory, no port, no network: this machine's own trouble. */
const OWN_FAULTS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH']);

/** libp2p wraps what the socket said, in an AggregateError or as a cause. */
function isOwnFault(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const inner: unknown[] = error instanceof AggregateError ? error.errors : [];
  return OWN_FAULTS.has((error as NodeJS.ErrnoException).code ?? '') || [...inner, error.cause].some(isOwnFault);
}
