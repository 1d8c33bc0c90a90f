import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { relayOf } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import type { HolePuncher, PunchRole } from '../lib/contracts.ts';
import type { Logger } from '../lib/logger.ts';
import { Ends } from './dcutr-ends.ts';
import { dialable } from './dcutr-host.ts';
import type { DcutrHost } from './dcutr-host.ts';
import type { DcutrMetrics } from './dcutr-metrics.ts';
import type { Observations } from './dcutr-observations.ts';

/** What both sides of an attempt work with. */
export interface PunchOptions {
  host: DcutrHost;
  punchers: readonly HolePuncher[];
  /** Which of our addresses others may be told. */
  mayTell: (addr: Multiaddr) => boolean;
  observations: Observations;
  metrics: DcutrMetrics;
  clock: Clock;
  log: Logger;
}

/** Three round trips through a relay on the other side of the Earth, and a lost packet. */
export const EXCHANGE_MS = 10_000;

/** What a peer names is dialled, so it is bounded. */
export const MAX_DIALLED = 8;

/**
 * One attempt, with what both sides do alike: opens our ends, has `exchange` trade addresses, and connects.
 *
 * @throws RelaydError DIAL_FAILED; what `exchange` throws; the signal's reason
 */
export async function punch(options: PunchOptions, role: PunchRole, connection: Connection, signal: AbortSignal, exchange: (ours: readonly Multiaddr[]) => Promise<readonly Multiaddr[]>): Promise<Connection> {
  const { host, punchers, mayTell, observations, clock, log } = options;
  const { remotePeer } = connection;
  const ends = await Ends.open({ punchers, role, mayTell, observations: observations.list(relayOf(connection)) });
  try {
    const theirs = await dialable(host, remotePeer, await exchange(ends.addrs), MAX_DIALLED);
    const direct = await ends.connect(remotePeer, theirs, clock, signal);
    log.info({ peer: remotePeer.toString(), addr: direct.remoteAddr.toString() }, 'punched a hole: the circuit has a direct connection beside it');
    return direct;
  } finally {
    ends.close();
  }
}
