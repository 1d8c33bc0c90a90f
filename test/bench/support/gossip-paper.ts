import { GAP_PER_RELAY_MS } from '../../../src/coordination/gossip/outbox.ts';
import type { Rates } from '../gossip.ts';

/** What is asked of gossip. */
const RELAYS = 50;
const RESERVATIONS = 1_000_000;

/** A client renews at three quarters of an hour's reservation. */
const RENEWED_EVERY_SECONDS = 2_700;


/** What gossip may take of a relay whose work is to relay: half a core, a quarter of a GiB; and how long one that joins may be busy with that alone. */
const BUDGET = { cpu: 0.5, memoryBytes: 2 ** 28, joinSeconds: 10 };

interface Measured {
  readonly relays: number;
  readonly rate: number;
  readonly rest: Rates;
  readonly load: Rates;
  readonly memoryBytes: number;
  readonly join: { readonly reservations: number; readonly seconds: number; readonly bytes: number; readonly cpuSeconds: number };
}

/**
 * What was measured, for more relays and reservations. At rest each relay hears the beats of all others: it grows with their number. Under load a relay hears every
 * message of every other: as many as there are batches, and for each reservation its bytes in every copy that arrives.
 */
export function extrapolation({ relays, rate, rest, load, memoryBytes, join }: Measured): Record<string, string> {
  const changes = RESERVATIONS / RENEWED_EVERY_SECONDS;
  const batches = (RELAYS - 1) * Math.min(1_000 / (GAP_PER_RELAY_MS * (RELAYS - 1)), changes / RELAYS);
  const cpuPerMessage = (load.cpuSeconds - rest.cpuSeconds) / (load.inMessages - rest.inMessages);
  const bytesPerMessage = (load.inBytes - rest.inBytes) / (load.inMessages - rest.inMessages);
  const atRest = (rest.inBytes * (RELAYS - 1)) / (relays - 1);
  const restCpu = (rest.cpuSeconds * (RELAYS - 1)) / (relays - 1);
  const cpu = restCpu + batches * cpuPerMessage;
  const fetched = (RESERVATIONS * join.bytes) / join.reservations;
  const joinSeconds = (RESERVATIONS * join.cpuSeconds) / join.reservations;
  const parts = { 'CPU, of half a core': cpu / BUDGET.cpu, 'memory, of 256 MiB': (RESERVATIONS * memoryBytes) / BUDGET.memoryBytes, 'CPU of a newcomer, of 10 s': joinSeconds / BUDGET.joinSeconds };
  const [first] = Object.entries(parts).sort(([, a], [, b]) => b - a);
  return {
    'KiB/s in at rest, per relay': (atRest / 1024).toFixed(0),
    'CPU at rest, % of a core': (100 * restCpu).toFixed(1),
    'renewals/s, in all': changes.toFixed(0),
    'messages/s that each relay hears of them': batches.toFixed(0),
    'KiB/s in with renewals, per relay': ((atRest + batches * bytesPerMessage) / 1024).toFixed(0),
    'CPU with renewals, % of a core': (100 * cpu).toFixed(1),
    'messages/s that one core can hear': (1 / cpuPerMessage).toFixed(0),
    'bytes in per message of one reservation, all copies': bytesPerMessage.toFixed(0),
    [`(measured at ${relays} relays and ${rate}/s) CPU per message, ms`]: (1_000 * cpuPerMessage).toFixed(2),
    'memory per relay, MiB': ((RESERVATIONS * memoryBytes) / 2 ** 20).toFixed(0),
    'a newcomer fetches, MiB': (fetched / 2 ** 20).toFixed(0),
    'a newcomer needs, s of CPU': joinSeconds.toFixed(1),
    'breaks first': `${first?.[0]}: ${(100 * (first?.[1] ?? NaN)).toFixed(0)} %`,
  };
}
