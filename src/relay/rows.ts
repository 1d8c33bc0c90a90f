import type { CircuitRow, ReservationRow } from '../lib/contracts.ts';
import type { Circuit } from './circuit.ts';
import type { UserClass } from './classes.ts';
import type { Standing } from './membership.ts';
import type { Reservation } from './reservations.ts';

/** What the admin API shows of one reservation and of one circuit. */

export function reservationRow(reservation: Reservation, circuits: number): ReservationRow {
  return {
    peer: reservation.peer.toString(),
    class: reservation.class as UserClass,
    addr: reservation.addr.toString(),
    expiresAt: new Date(reservation.expireSeconds * 1000).toISOString(),
    openedAt: new Date(reservation.openedAt).toISOString(),
    renewals: reservation.renewals,
    circuits,
    ...tokenOf(reservation.standing),
  };
}

export function circuitRow(circuit: Circuit, limitClass: UserClass): CircuitRow {
  return {
    id: circuit.id,
    class: limitClass,
    source: circuit.source.toString(),
    target: circuit.target.toString(),
    openedAt: new Date(circuit.openedAt).toISOString(),
    bytesToTarget: circuit.bytesToTarget,
    bytesToSource: circuit.bytesToSource,
    bufferedBytes: circuit.bufferedBytes,
    idleMs: Math.round(circuit.idleMs),
    ...tokenOf(circuit.sourceStanding),
    ...(circuit.forwarded === undefined ? {} : { forwarded: circuit.forwarded }),
  };
}

function tokenOf({ grant }: Standing): { token?: string } {
  return grant === undefined ? {} : { token: grant.tokenId };
}
