import type { Connection } from '@libp2p/interface';
import { isRelayed } from '../lib/addresses.ts';
import { sealVoucher } from '../lib/circuit/voucher.ts';
import { RelaydError } from '../lib/errors.ts';
import { Status } from '../lib/circuit/protocol.ts';
import type { HopMessage } from '../lib/circuit/messages.ts';
import type { RequestSpan } from '../lib/tracing/request-tracer.ts';
import { checkLoad, limitMessage } from './context.ts';
import type { RelayContext } from './context.ts';
import { membershipAnswer } from './membership.ts';
import type { Standing } from './membership.ts';
import { Refused } from './refusal.ts';
import { reservationAddresses } from './relay-addresses.ts';
import type { Reservation } from './reservations.ts';

/**
 * A renewal that comes after this share of the reservation's life costs no token: clients that renew in time are never
 * refused for it, whatever the TTL, and one that renews without pause is slowed like anyone.
 */
const FREE_RENEWAL_AFTER = 0.25;

/** How old the addresses in a reservation may be. */
const FRESH_MS = 1_000;

/**
 * RESERVE (specification: "Reservation"). Everything is checked before anything changes.
 *
 * @throws Refused
 */
export async function reserve(context: RelayContext, connection: Connection, standing: Standing, span: RequestSpan | undefined): Promise<HopMessage> {
  context.policy.membership.assertServed(standing);
  checkAdmission(context, connection, standing.class);
  const reservation = context.reservations.grant(
    {
      peer: connection.remotePeer,
      standing,
      addr: connection.remoteAddr,
      prefixes: context.policy.prefixes.keysOf(connection.remoteAddr),
      asn: context.asn(connection.remoteAddr),
    },
    context.policy.limits(standing.class).reservations,
  );
  context.memberships.admitted(standing);
  span?.stage('voucher');
  try {
    return await grantedReply(context, reservation);
  } catch (error) {
    if (reservation.renewals === 0) {
      context.reservations.release(connection.remotePeer);
    }
    throw error;
  }
}

function checkAdmission(context: RelayContext, connection: Connection, limitClass: Standing['class']): void {
  const { policy, draining } = context;
  const { remotePeer, remoteAddr } = connection;
  if (isRelayed(connection)) {
    throw new Refused('relayed connection');
  }
  // Its close event has been seen, so nothing would ever free the slot.
  if (connection.status !== 'open') {
    throw new RelaydError('CLOSED', 'the peer is gone');
  }
  if (draining) {
    throw new Refused('draining');
  }
  policy.checkAccess('reserve', limitClass, remotePeer, remoteAddr);
  const existing = context.reservations.get(remotePeer);
  if (existing === undefined) {
    checkLoad(context, limitClass);
  }
  if (existing === undefined || !isTimelyRenewal(context, existing)) {
    policy.spend('reserve', limitClass, remotePeer, policy.prefixes.keysOf(remoteAddr));
  }
}

function isTimelyRenewal(context: RelayContext, existing: Reservation): boolean {
  const lifeMs = existing.expiresAt - existing.grantedAt;
  return context.clock.now() - existing.grantedAt >= lifeMs * FREE_RENEWAL_AFTER;
}

/** Working out the addresses costs as much as signing the voucher, and they hardly ever change. */
const told = new WeakMap<RelayContext, { addrs: Uint8Array[]; until: number }>();

function addressesNow(context: RelayContext): Uint8Array[] {
  const { host, clock } = context;
  const last = told.get(context);
  if (last !== undefined && clock.now() < last.until) {
    return last.addrs;
  }
  const addrs = reservationAddresses(host.getMultiaddrs(), { ...context.addresses, peerId: host.peerId.toString() }).map((addr) => addr.bytes);
  told.set(context, { addrs, until: clock.now() + FRESH_MS });
  return addrs;
}

async function grantedReply(context: RelayContext, reservation: Reservation): Promise<HopMessage> {
  const { host, policy } = context;
  const { peer, expireSeconds, expiresAt, grantedAt } = reservation;
  const voucher = await sealVoucher({ relay: host.peerId, peer, expireSeconds }, host.privateKey);
  policy.membership.assertLasts(peer, reservation.standing);
  return {
    type: 'STATUS',
    status: Status.OK,
    reservation: { expire: expireSeconds, addrs: addressesNow(context), voucher, ttlSeconds: Math.floor(Math.round(expiresAt - grantedAt) / 1000) },
    limit: limitMessage(policy.circuitLimits(reservation.standing)),
    membership: membershipAnswer(reservation.standing),
  };
}
