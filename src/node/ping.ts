import type { Connection } from '@libp2p/interface';
import { randomBytes } from 'node:crypto';
import type { DialResult, Dialler, PingResult } from '../lib/contracts.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { readExactly } from '../lib/read-stream.ts';

const PING_PROTOCOL = '/ipfs/ping/1.0.0';
const PING_BYTES = 32;

export interface PingOptions {
  count: number;
  fresh: boolean;
  signal: AbortSignal;
}

/** Dials `target` through what the node knows and measures round trips. Failure is in the result, not thrown. */
export async function ping(dialler: Dialler, target: string, options: PingOptions): Promise<PingResult> {
  const result: PingResult = { peer: lastPeerId(target), path: null, via: null, dialMs: null, rttMs: [] };
  try {
    const dialled = await dialler.dial(target, { signal: options.signal, fresh: options.fresh });
    Object.assign(result, describe(dialled));
    await measure(dialled.connection, options, result.rttMs);
  } catch (error) {
    result.error = errorMessage(error);
  }
  return result;
}

function describe({ connection, path, via, dialMs }: DialResult): Partial<PingResult> {
  return { peer: connection.remotePeer.toString(), path, via: via ?? null, dialMs: round(dialMs) };
}

async function measure(connection: Connection, { count, signal }: PingOptions, rttMs: number[]): Promise<void> {
  const stream = await connection.newStream([PING_PROTOCOL], { signal, runOnLimitedConnection: true });
  try {
    for (let i = 0; i < count; i++) {
      const sent = randomBytes(PING_BYTES);
      const start = performance.now();
      stream.send(sent);
      const back = await readExactly(stream, PING_BYTES, signal);
      if (!sent.equals(back)) {
        throw new RelaydError('MALFORMED_MESSAGE', 'the peer answered a ping with other bytes than were sent');
      }
      rttMs.push(round(performance.now() - start));
    }
    await stream.close({ signal });
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function lastPeerId(target: string): string {
  return target.split('/p2p/').at(-1) ?? target;
}
