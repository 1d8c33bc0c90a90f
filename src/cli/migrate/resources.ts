import { formatDuration, formatSize } from '../../config/units.ts';
import type { OldFile } from './old-file.ts';
import type { Plan } from './plan.ts';

/** The old daemon's defaults, go-libp2p's of its time. */
const OLD = {
  ttlMs: 3_600_000,
  reservations: 128,
  circuitsPerPeer: 16,
  perIp: 8,
  perAsn: 32,
  durationMs: 120_000,
  dataBytes: 131_072,
};

const RESOURCES = 'RelayV2.Resources';
const LIMIT = `${RESOURCES}.Limit`;

export function translateResources(old: OldFile, plan: Plan): void {
  if (!old.flag('RelayV2.Enabled', true)) {
    old.reject('RelayV2.Enabled', 'there is nothing to take over: p2p-relayd relays circuit relay v2', 'true');
  }
  translateReservations(old, plan);
  translateCircuits(old, plan);
  translateLimit(old, plan);
  leaveResources(old, plan);
}

function translateReservations(old: OldFile, plan: Plan): void {
  const limits = 'relay.limits.reservations';
  plan.set(`${RESOURCES}.ReservationTTL`, `${limits}.ttl`, formatDuration(old.duration(`${RESOURCES}.ReservationTTL`, OLD.ttlMs)));
  plan.set(`${RESOURCES}.MaxReservations`, `${limits}.max`, old.wholeNumber(`${RESOURCES}.MaxReservations`, OLD.reservations));
  plan.set(`${RESOURCES}.MaxReservationsPerIP`, `${limits}.perPrefix`, old.wholeNumber(`${RESOURCES}.MaxReservationsPerIP`, OLD.perIp));
  plan.set(`${RESOURCES}.MaxReservationsPerASN`, `${limits}.perAsn`, old.wholeNumber(`${RESOURCES}.MaxReservationsPerASN`, OLD.perAsn));
  plan.change(`${RESOURCES}.MaxReservationsPerIP`, 'counts an IPv4 address as before, and an IPv6 network in place of an address (relay.prefixes)');
  plan.change(`${RESOURCES}.MaxReservationsPerASN`, 'counts only with a database of AS numbers (relay.asnFile), then for IPv4 too; the old daemon had one built in, for IPv6');
}

function translateCircuits(old: OldFile, plan: Plan): void {
  const field = `${RESOURCES}.MaxCircuits`;
  const perPeer = old.wholeNumber(field, OLD.circuitsPerPeer);
  plan.set(field, 'relay.limits.circuits.perSource', perPeer);
  plan.set(field, 'relay.limits.circuits.perTarget', perPeer);
  // There the reservations bound the circuits; none that it let in shall be refused.
  plan.set(field, 'relay.limits.circuits.max', perPeer * old.wholeNumber(`${RESOURCES}.MaxReservations`, OLD.reservations));
  plan.change(field, 'a peer has so many circuits that it opened, and as many that lead to it; the old daemon counted both together');
}

/** `null`: circuits without a limit. There a circuit could be idle as long as it lasted. */
function translateLimit(old: OldFile, plan: Plan): void {
  const unlimited = old.isNull(LIMIT);
  const durationMs = old.duration(`${LIMIT}.Duration`, OLD.durationMs);
  const dataBytes = old.wholeNumber(`${LIMIT}.Data`, OLD.dataBytes);
  for (const [name, value] of unlimited ? [] : Object.entries({ Duration: durationMs, Data: dataBytes })) {
    if (value <= 0) {
      old.reject(`${LIMIT}.${name}`, 'with 0 the old daemon cut every circuit at once', 'what a circuit may have, or "Limit": null for circuits without a limit');
    }
  }
  plan.set(`${LIMIT}.Duration`, 'relay.limits.circuits.duration', unlimited ? 'unlimited' : formatDuration(durationMs));
  plan.set(`${LIMIT}.Data`, 'relay.limits.circuits.bytesPerDirection', unlimited ? 'unlimited' : formatSize(dataBytes));
  plan.set(LIMIT, 'relay.limits.circuits.idle', 'unlimited');
}

function leaveResources(old: OldFile, plan: Plan): void {
  if (old.has(`${RESOURCES}.BufferSize`)) {
    plan.leave(`${RESOURCES}.BufferSize`, 'buffers grow and shrink with the traffic; relay.limits.memory bounds them');
  }
  if (old.has(`${RESOURCES}.MaxReservationsPerPeer`)) {
    plan.leave(`${RESOURCES}.MaxReservationsPerPeer`, 'a peer holds one reservation, which it renews; relay.limits.rates.reservePerPeer says how often it may ask');
  }
  plan.change('relay.limits.rates, relay.limits.memory', 'are new: how often peers may ask, and what is buffered; the defaults are for anyone on the internet');
}
