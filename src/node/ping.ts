import type { Connection } from '@libp2p/interface';
import { systemClock } from '../lib/clock.ts';
import type { DialResult, Dialler, PingResult, Upgrade } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import { ping as echo } from '../lib/ping.ts';
import { upgradeFields } from './status.ts';

export interface PingOptions {
  count: number;
  fresh: boolean;
  signal: AbortSignal;
  upgradeOf: (connection: Connection) => Upgrade;
}

/** Dials `target` through what the node knows and measures round trips. Failure is in the result, not thrown. */
export async function ping(dialler: Dialler, target: string, options: PingOptions): Promise<PingResult> {
  const result: PingResult = { peer: lastPeerId(target), path: null, via: null, dialMs: null, rttMs: [] };
  try {
    const dialled = await dialler.dial(target, { signal: options.signal, fresh: options.fresh });
    Object.assign(result, describe(dialled));
    for (let i = 0; i < options.count; i++) {
      result.rttMs.push(round(await echo(dialled.connection, systemClock, options.signal)));
    }
    Object.assign(result, upgradeFields(options.upgradeOf(dialled.connection)));
  } catch (error) {
    result.error = errorMessage(error);
  }
  return result;
}

function describe({ connection, path, via, dialMs }: DialResult): Partial<PingResult> {
  return { peer: connection.remotePeer.toString(), path, via: via ?? null, dialMs: round(dialMs) };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function lastPeerId(target: string): string {
  return target.split('/p2p/').at(-1) ?? target;
}
