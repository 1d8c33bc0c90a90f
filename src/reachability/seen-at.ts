import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { ipOf } from '../lib/addresses.ts';
import { readFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { bytesOf, readFields } from '../lib/protobuf.ts';

/** Specification: "identify". A relay answers identify and does not ask, so the one fact that is wanted is read here. */
const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0';
const OBSERVED_ADDR_FIELD = 4;

/** go-libp2p's bound on an identify message. */
const MAX_IDENTIFY_BYTES = 8_192;

const IDENTIFY_MS = 5_000;

/** The IP address that the peer sees this node's end of `connection` at, as text; `undefined` when it does not say. Never rejects. */
export async function seenAt(connection: Connection, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await withDeadline(IDENTIFY_MS, clock, [signal], (limit) => askWhere(connection, limit));
  } catch {
    return undefined;
  }
}

async function askWhere(connection: Connection, signal: AbortSignal): Promise<string | undefined> {
  const stream = await connection.newStream(IDENTIFY_PROTOCOL, { signal });
  try {
    const frame = await readFrame(stream, { signal, maxBytes: MAX_IDENTIFY_BYTES });
    const observed = [...readFields(frame)].find(({ number }) => number === OBSERVED_ADDR_FIELD);
    return observed === undefined ? undefined : ipOf(multiaddr(bytesOf(observed)))?.toString();
  } finally {
    stream.abort(new Error('read'));
  }
}
