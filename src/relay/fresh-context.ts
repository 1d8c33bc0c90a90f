import type { TokenVerifier } from '../lib/membership/verifier.ts';
import { BufferLedger } from './buffer-ledger.ts';
import { CircuitSlots } from './circuit-slots.ts';
import { Circuits } from './circuits.ts';
import { INTERNAL_LIMITS } from './classes.ts';
import type { UserClass } from './classes.ts';
import type { RelayContext } from './context.ts';
import type { Journal } from './journal.ts';
import { MembershipWatch } from './membership-watch.ts';
import { Reservations } from './reservations.ts';

/** What every run makes for itself. */
type Own = 'reservations' | 'slots' | 'circuits' | 'ledgers' | 'memberships' | 'asn' | 'draining';

/** The context of a run, in which nothing is held yet. */
export function freshContext(given: Omit<RelayContext, Own>, journal: Journal, verifier: TokenVerifier): RelayContext {
  const { clock, policy } = given;
  const circuits = new Circuits((circuit, reason) => journal.circuitEnded(circuit, reason));
  const ledger = (limitClass: UserClass): BufferLedger => new BufferLedger(policy.limits(limitClass).memory.total, () => circuits.endLargest(limitClass, 'memory limit'));
  const context: Omit<RelayContext, 'memberships'> = {
    ...given,
    reservations: new Reservations(clock, journal),
    slots: new CircuitSlots(),
    circuits,
    ledgers: { public: ledger('public'), member: ledger('member'), internal: new BufferLedger(INTERNAL_LIMITS.memory.total) },
    asn: () => undefined,
    draining: false,
  };
  return Object.assign(context, { memberships: new MembershipWatch(context, verifier) });
}
