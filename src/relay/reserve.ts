import { isRelayed } from '../lib/addresses.ts';
import { sealVoucher } from '../lib/circuit/voucher.ts';
import { RelaydError } from '../lib/errors.ts';
import { Status } from '../lib/circuit/protocol.ts';
import type { HopMessage } from '../lib/circuit/messages.ts';
import { checkLoad, limitMessage } from './context.ts';
import type { RelayContext } from './context.ts';
import type { GlobalLimits } from './global/global-limits.ts';
import type { PlacesChange } from './global/places.ts';
import { placesFor } from './global/reserve-claims.ts';
import type { ReserveQuestion } from './global/reserve-claims.ts';
import { membershipAnswer } from './membership.ts';
import { Refused } from './refusal.ts';
import { reservationAddresses } from './relay-addresses.ts';
import type { Reservation, ReservationRequest } from './reservations.ts';
import type { Source } from './source.ts';

/**
 * A renewal that comes after this share of the reservation's life costs no token: clients that renew in time are never
 * refused for it, whatever the TTL, and one that renews without pause is slowed like anyone.
 */
const FREE_RENEWAL_AFTER = 0.25;

/** How old the addresses in a reservation may be. */
const FRESH_MS = 1_000;

export interface Granted {
  readonly reply: HopMessage;
  /** The reply could not be sent: the peer does not know what it holds. */
  readonly undo: () => void;
}

/**
 * RESERVE (specification: "Reservation"). Everything is checked before anything changes. In a cluster each step is undone when a later one fails: places and tokens
 * over the cluster, the reservation here, the reply.
 *
 * @throws Refused; RelaydError CLOSED when the peer is gone, or gives up waiting
 */
export async function reserve(context: RelayContext, source: Source): Promise<Granted> {
  const { global, policy } = context;
  policy.membership.assertServed(source.standing);
  return global === undefined || source.standing.class === 'internal'
    ? reserveHere(context, source)
    : global.turns.take(source.connection.remotePeer.toString(), () => reserveGlobally(context, global, source));
}

function reserveHere(context: RelayContext, source: Source): Promise<Granted> {
  const { request } = checkAdmission(context, source);
  return tell(context, source, grant(context, request, undefined));
}

/** Nothing is waited for between the last checks and the grant. */
async function reserveGlobally(context: RelayContext, global: GlobalLimits, source: Source): Promise<Granted> {
  const question = checkAdmission(context, source);
  // Who is refused here costs no round trip.
  context.reservations.check(question.request, context.policy.limits(source.standing.class).reservations);
  const change = await placesFor(context, global, source, question);
  let reservation: Reservation;
  try {
    checkStill(context, source, question.existing);
    reservation = grant(context, question.request, change);
  } catch (error) {
    change?.permit?.release();
    throw error;
  }
  return tell(context, source, reservation);
}

function grant(context: RelayContext, request: ReservationRequest, change: PlacesChange | undefined): Reservation {
  const reservation = context.reservations.grant(request, context.policy.limits(request.standing.class).reservations, change);
  context.memberships.admitted(request.standing);
  return reservation;
}

async function tell(context: RelayContext, { span }: Source, reservation: Reservation): Promise<Granted> {
  const undo = (): void => context.reservations.undo(reservation);
  span?.stage('voucher');
  try {
    return { reply: await grantedReply(context, reservation), undo };
  } catch (error) {
    undo();
    throw error;
  }
}

function checkAdmission(context: RelayContext, source: Source): ReserveQuestion {
  checkPeer(context, source);
  const { policy } = context;
  const { standing } = source;
  const { remotePeer: peer, remoteAddr: addr } = source.connection;
  const existing = context.reservations.get(peer);
  const isTimely = existing !== undefined && isTimelyRenewal(context, existing);
  if (existing === undefined) {
    checkLoad(context, standing.class);
  }
  const prefixes = policy.prefixes.keysOf(addr);
  if (!isTimely) {
    policy.spend('reserve', standing.class, peer, prefixes);
  }
  return { request: { peer, standing, addr, prefixes, asn: context.asn(addr) }, existing, isTimely };
}

/** Whether a peer may ask at all. */
function checkPeer({ policy, draining }: RelayContext, { connection, standing }: Source): void {
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
  policy.checkAccess('reserve', standing.class, connection.remotePeer, connection.remoteAddr);
}

/** What may have changed while the cluster was asked; the pool is looked at when it is granted. */
function checkStill(context: RelayContext, source: Source, existing: Reservation | undefined): void {
  const { policy, reservations } = context;
  const { remotePeer } = source.connection;
  checkPeer(context, source);
  policy.membership.assertServed(source.standing);
  policy.membership.assertLasts(remotePeer, source.standing);
  if (reservations.get(remotePeer) !== existing) {
    throw new RelaydError('CLOSED', 'the reservation ended while it was being renewed');
  }
}

function isTimelyRenewal(context: RelayContext, existing: Reservation): boolean {
  const lifeMs = existing.expiresAt - existing.grantedAt;
  return context.clock.now() - existing.grantedAt >= lifeMs * FREE_RENEWAL_AFTER;
}

/** Working out the addresses costs as much as signing the voucher, and they hardly ever change. */
const told = new WeakMap<RelayContext, { addrs: Uint8Array[]; until: number }>();

function addressesNow(context: RelayContext): Uint8Array[] {
  const { host, clock, clusterAddrs } = context;
  const last = told.get(context);
  if (last !== undefined && clock.now() < last.until) {
    return last.addrs;
  }
  const addrs = reservationAddresses(host.getMultiaddrs(), { ...context.addresses, peerId: host.peerId.toString() }, clusterAddrs()).map((addr) => addr.bytes);
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
