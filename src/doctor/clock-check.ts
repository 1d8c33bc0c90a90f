import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';
import { spanInWords } from './span.ts';

/** Tokens and reservations of standard relays go by the wall clock, and members' tokens are judged with a minute of tolerance. */
const OFF_MS = 120_000;

/** A relay's statement is given again for a minute (src/relay/own-statement.ts), which makes its clock look late by as much. */
const STATEMENT_AGE_MS = 60_000;

/** What the encryption says of a certificate whose time has not come, or is over: it is made when its relay starts. */
const UNTIMELY = /certificate is not valid: it (is not valid yet|has expired)/;

const SYNCHRONISE = 'set up time synchronisation on this machine (timedatectl set-ntp true), and look at timedatectl';

/** The wall clock, by those of other relays and of Prometheus. */
export function checkClock({ network, prometheus, nowMs }: Facts): Item | undefined {
  const untimely = (network.rows ?? []).filter(({ error }) => error !== undefined && UNTIMELY.test(error));
  if (untimely.length > 0) {
    return failed('clock', `by this machine's clock (${new Date(nowMs).toISOString()}) the certificates of ${untimely.map(({ peer }) => peer).join(', ')} are not valid yet or any more, so that no connection can be made`, SYNCHRONISE);
  }
  const relays = (network.rows ?? []).flatMap(({ relay }) => (relay === null ? [] : [{ aheadMs: relay.clockAheadMs, ageMs: STATEMENT_AGE_MS }]));
  const witnesses = [...relays, ...(prometheus?.clockAheadMs === undefined ? [] : [{ aheadMs: prometheus.clockAheadMs, ageMs: 0 }])];
  if (witnesses.length === 0) {
    return undefined;
  }
  const off = witnesses.filter(isOff).map(({ aheadMs }) => aheadMs);
  if (off.length === 0) {
    return ok('clock', `agrees with ${witnesses.length === 1 ? 'one other clock' : `${witnesses.length} other clocks`} to within two minutes`);
  }
  const differs = spans(off);
  if (off.length < witnesses.length) {
    // Most agree with this clock: then it is another's that is off, or somebody does not tell the truth.
    const judge = off.length * 2 < witnesses.length ? warning : failed;
    return judge('clock', `of ${witnesses.length} clocks that were compared with this one ${off.length} differ: ${differs}`, 'set up time synchronisation (timedatectl set-ntp true) here and there; tokens are taken for expired or not yet valid where clocks differ');
  }
  return failed('clock', `this machine's clock differs from ${witnesses.length === 1 ? 'the one that it was compared with' : `all ${witnesses.length} that it was compared with`}: ${differs}`, SYNCHRONISE);
}

interface Witness {
  readonly aheadMs: number;
  /** What it says may be as old, and then looks late. */
  readonly ageMs: number;
}

function isOff({ aheadMs, ageMs }: Witness): boolean {
  return aheadMs > OFF_MS || aheadMs + ageMs < -OFF_MS;
}

function spans(differences: readonly number[]): string {
  return differences.map((aheadMs) => `it is ${spanInWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'behind' : 'ahead'}`).join(', ');
}
