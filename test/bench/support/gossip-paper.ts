import { GAP_PER_RELAY_MS } from '../../../src/coordination/gossip/outbox.ts';
import type { DaemonsMeasured } from './gossip-measurement.ts';
import type { Newcomer } from './gossip-newcomer.ts';
import type { Plan } from './gossip-plan.ts';
import type { Rates } from './gossip-rates.ts';

/** What is asked of gossip. */
const RELAYS = 50;
const RESERVATIONS = 1_000_000;

/** A client renews at three quarters of an hour's reservation. */
const RENEWED_EVERY_SECONDS = 2_700;

/** What a cluster may take of a relay whose work is to relay: half a core, a quarter of a GiB; and how long one that joins may be busy with that alone. */
const BUDGET = { cpu: 0.5, memoryBytes: 2 ** 28, joinSeconds: 10 };

interface Measured extends Plan {
  readonly cluster: DaemonsMeasured;
  readonly alone: DaemonsMeasured;
  readonly memoryBytes: number;
  readonly join: Newcomer;
}

/** What a cluster adds to each relay, as measured. */
interface Costs {
  /** For each other relay, at rest. */
  readonly restBytes: number;
  readonly restCpu: number;
  /** For each message of gossip that is heard, all copies. */
  readonly messageBytes: number;
  readonly messageCpu: number;
  /** For each reservation of its own: limits over the cluster. */
  readonly ownBytes: number;
}

/**
 * What was measured, for more relays and reservations. At rest a relay hears the beats of all others: it grows with their number. Under load it hears every message
 * of every other, as many as there are batches, and asks for each reservation of its own those that count it. All CPU is put down to messages, which is too much:
 * asking is in it.
 */
export function extrapolation(measured: Measured): Record<string, string> {
  const { relays, rate, memoryBytes, join } = measured;
  const costs = costsOf(measured);
  const changes = RESERVATIONS / RENEWED_EVERY_SECONDS;
  const messages = messagesHeard(RELAYS, changes);
  const restBytes = costs.restBytes * (RELAYS - 1);
  const restCpu = costs.restCpu * (RELAYS - 1);
  const cpu = restCpu + messages * costs.messageCpu;
  const joinSeconds = (RESERVATIONS * join.cpuSeconds) / join.reservations;
  const parts = { 'CPU, of half a core': cpu / BUDGET.cpu, 'memory, of 256 MiB': (RESERVATIONS * memoryBytes) / BUDGET.memoryBytes, 'CPU of a newcomer, of 10 s': joinSeconds / BUDGET.joinSeconds };
  const ranked = Object.entries(parts).sort(([, a], [, b]) => b - a);
  return {
    'KiB/s in at rest, per relay': (restBytes / 1024).toFixed(0),
    'CPU at rest, % of a core': (100 * restCpu).toFixed(1),
    'renewals/s, in all': changes.toFixed(0),
    'messages/s that each relay hears of them': messages.toFixed(0),
    'KiB/s in with renewals, per relay': ((restBytes + messages * costs.messageBytes + (changes / RELAYS) * costs.ownBytes) / 1024).toFixed(0),
    'CPU with renewals, % of a core': (100 * cpu).toFixed(1),
    'a whole core at so many relays': coreAt(costs, changes).toFixed(0),
    [`(measured at ${relays} relays and ${rate}/s) CPU per message, ms`]: (1_000 * costs.messageCpu).toFixed(2),
    'bytes in per message, all copies': costs.messageBytes.toFixed(0),
    'bytes in for each reservation of its own': costs.ownBytes.toFixed(0),
    'memory per relay, MiB': ((RESERVATIONS * memoryBytes) / 2 ** 20).toFixed(0),
    'a newcomer fetches, MiB': ((RESERVATIONS * join.bytes) / join.reservations / 2 ** 20).toFixed(0),
    'a newcomer needs, s of CPU': joinSeconds.toFixed(1),
    'breaks first, and then': ranked.map(([name, part]) => `${name}: ${(100 * part).toFixed(0)} %`).join('; '),
  };
}

function costsOf({ relays, cluster, alone }: Measured): Costs {
  const more = (name: keyof Rates): number => cluster.load[name] - cluster.rest[name];
  const own = cluster.reserved.perSecond / relays;
  const linkBytes = more('inLinkBytes');
  return {
    restBytes: cluster.rest.inBytes / (relays - 1),
    restCpu: (cluster.rest.cpuSeconds - alone.rest.cpuSeconds) / (relays - 1),
    messageBytes: (more('inBytes') - linkBytes) / more('inMessages'),
    messageCpu: (more('cpuSeconds') - (alone.load.cpuSeconds - alone.rest.cpuSeconds)) / more('inMessages'),
    ownBytes: linkBytes / own,
  };
}

/** Each relay tells a change at once, or together with others: not more often than the gap lets it. */
function messagesHeard(relays: number, changes: number): number {
  return (relays - 1) * Math.min(1_000 / (GAP_PER_RELAY_MS * (relays - 1)), changes / relays);
}

/** Beats grow with the number of relays, messages do not. */
function coreAt({ restCpu, messageCpu }: Costs, changes: number): number {
  return 1 + (1 - messagesHeard(RELAYS, changes) * messageCpu) / restCpu;
}
