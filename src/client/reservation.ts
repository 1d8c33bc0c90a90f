import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { HopMessage, Limit, Reservation as WireReservation } from '../lib/circuit/messages.ts';
import { openVoucher } from '../lib/circuit/voucher.ts';
import type { Clock } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { withPeer } from './circuit-addr.ts';
import { withDeadline } from '../lib/deadline.ts';
import { requestHop } from './hop.ts';
import { distinct, relayAddrs } from './reservation-addrs.ts';
import { closeStream } from '../lib/close-stream.ts';

/** A relay answers RESERVE from memory; one that needs longer does not work. */
const RESERVE_DEADLINE_MS = 5_000;

/** Beyond this an expiry is not a time but a mistake, such as milliseconds in a field of seconds. */
const MAX_TTL_MS = 366 * 24 * 3600 * 1000;

/** What a relay granted. */
export interface Reservation {
  /** Unix time in milliseconds, the relay's word. */
  readonly expiresAtWall: number;
  /** The same on the monotonic clock, which is what counts here. */
  readonly expiresAt: number;
  readonly ttlMs: number;
  /** The relay's addresses, with its peer id; never empty unless nothing is known of how to reach it. */
  readonly addrs: readonly Multiaddr[];
  /** Of each circuit to this node. */
  readonly limit: Limit | undefined;
  /** Why the token that was shown does not count, in the relay's words. */
  readonly tokenProblem: string | undefined;
  /** The relay serves this node as a member: by its token, or by its id whatever its token is worth. */
  readonly isMember: boolean;
}

interface ReserveOptions {
  self: PeerId;
  clock: Clock;
  signal: AbortSignal;
  /** Shown to the relay. */
  token: Uint8Array | undefined;
  /** Where the relay was dialled: for a relay that gives no address of its own. */
  dialled: readonly Multiaddr[];
  /** Called once HOP has been spoken at all, or refused as unknown. */
  onSupport?: (supports: boolean) => void;
}

/**
 * Asks for a reservation, or renews the one that is held (specification: "Reservation").
 *
 * @throws RelaydError RESERVATION_REFUSED with data {status, statusName, refusal, relay}; MALFORMED_MESSAGE for a reply
 * without a usable reservation; VOUCHER_INVALID; TIMEOUT; libp2p's errors when HOP cannot be opened
 */
export async function reserve(connection: Connection, options: ReserveOptions): Promise<Reservation> {
  const message = await request(connection, options);
  if (message.reservation === undefined) {
    throw new RelaydError('MALFORMED_MESSAGE', 'the relay accepted and sent no reservation');
  }
  const times = timesOf(message.reservation, options.clock);
  await checkVoucher(message.reservation, connection.remotePeer, options.self);
  const given = relayAddrs(message.reservation.addrs, connection.remotePeer);
  return { ...times, addrs: given.length > 0 ? given : fallback(connection, options.dialled), limit: message.limit, tokenProblem: tokenProblem(message), isMember: message.membership?.class === 'member' };
}

async function request(connection: Connection, options: ReserveOptions): Promise<HopMessage> {
  return await withDeadline(RESERVE_DEADLINE_MS, options.clock, [options.signal], async (signal) => {
    try {
      const { stream, message } = await requestHop(connection, { type: 'RESERVE', token: options.token }, 'RESERVATION_REFUSED', signal);
      closeStream(stream, options.clock);
      options.onSupport?.(true);
      return message;
    } catch (error) {
      noteSupport(error, options);
      throw error;
    }
  });
}

function tokenProblem({ membership }: HopMessage): string | undefined {
  return membership?.problem === undefined ? undefined : peerText(membership.problem);
}

function noteSupport(error: unknown, options: ReserveOptions): void {
  if (error instanceof RelaydError && error.code === 'RESERVATION_REFUSED') {
    options.onSupport?.(true);
  } else if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
    options.onSupport?.(false);
  }
}

/** A relay of ours says how long; of others it is known by two wall clocks, one of which may have been stepped. */
function timesOf({ expire, ttlSeconds }: WireReservation, clock: Clock): Pick<Reservation, 'expiresAt' | 'expiresAtWall' | 'ttlMs'> {
  const expiresAtWall = expire * 1000;
  const ttlMs = ttlSeconds === undefined ? expiresAtWall - clock.wall() : ttlSeconds * 1000;
  if (ttlMs <= 0) {
    throw new RelaydError('MALFORMED_MESSAGE', 'the reservation has expired already: does one of the two clocks go wrong?');
  }
  if (ttlMs > MAX_TTL_MS) {
    throw new RelaydError('MALFORMED_MESSAGE', 'the reservation expires more than a year from now');
  }
  return { expiresAtWall, ttlMs, expiresAt: clock.now() + ttlMs };
}

/** A relay need not send one (rust's does not); a bad one is a relay that is not what it says. */
async function checkVoucher(reservation: WireReservation, relay: PeerId, self: PeerId): Promise<void> {
  if (reservation.voucher !== undefined) {
    await openVoucher(reservation.voucher, { relay, peer: self, expireSeconds: reservation.expire });
  }
}

/** Where we reached the relay others may too; the port of a connection that it opened to us is not such a place. */
function fallback(connection: Connection, dialled: readonly Multiaddr[]): Multiaddr[] {
  const used = connection.direction === 'outbound' ? [connection.remoteAddr] : dialled;
  return distinct(used.map((addr) => withPeer(addr, connection.remotePeer)));
}
