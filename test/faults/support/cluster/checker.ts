import type { Attempt, Operation, Release } from './history.ts';

/**
 * Reads a history of operations, and what the relays say of themselves at its end, and finds what must never be: in the manner of Jepsen, from
 * outside, without knowing how the relays agree. Each finding is a sentence for a person.
 */

/** The most reservations that were held at a time, for sure, and when: each counts from its reply until its peer begins to let it go. */
export function mostHeld(history: readonly Operation[]): { count: number; atMs: number } {
  const held = new Set<string>();
  const most = { count: 0, atMs: 0 };
  for (const { operation, atMs } of inOrder(history)) {
    const key = `${operation.peer} ${operation.relay}`;
    if (operation.kind === 'release') held.delete(key);
    else held.add(key);
    if (held.size > most.count) Object.assign(most, { count: held.size, atMs });
  }
  return most;
}

/** What was admitted and let go, in time; of two things at one time, letting go comes first. */
function inOrder(history: readonly Operation[]): { operation: Attempt | Release; atMs: number }[] {
  const releases = history.flatMap((operation) => (operation.kind === 'release' ? [{ operation, atMs: operation.atMs }] : []));
  return [...releases, ...admitted(history).map((operation) => ({ operation, atMs: operation.endedMs }))].sort((a, b) => a.atMs - b.atMs);
}

/**
 * Members that were let in although their revocation was older than `boundMs` when their request began.
 *
 * @param cutOff relays that could not have heard of it, and until when: to them the bound begins then
 */
export function revokedAdmitted(history: readonly Operation[], boundMs: number, cutOff: ReadonlyMap<string, number> = new Map()): string[] {
  return history.flatMap((operation) => {
    if (operation.kind !== 'revocation') return [];
    const dueMs = (relay: string): number => Math.max(operation.atMs, cutOff.get(relay) ?? 0) + boundMs;
    const late = admitted(history).filter(({ peer, relay, beganMs }) => peer === operation.peer && beganMs > dueMs(relay));
    return late.map(({ relay, beganMs }) => `${operation.peer}, revoked, was admitted at ${relay} ${Math.round(beganMs - operation.atMs)} ms later`);
  });
}

/** What one relay says at the end. */
export interface RelayState {
  readonly relay: string;
  /** Peers whose reservations it holds. */
  readonly holds: readonly string[];
  /** What it says of the places that it holds over the cluster, by key, and the total that it believes in. */
  readonly counts: readonly { readonly key: string; readonly own: number; readonly total: number | null }[];
}

/** Reservations that a relay holds and that could not be reached through another. `reached`: peers that answered through each relay. */
export function lostReservations(states: readonly RelayState[], reached: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return states.flatMap(({ relay, holds }) =>
    holds.flatMap((peer) => [...reached].filter(([, peers]) => !peers.has(peer)).map(([through]) => `${peer}, reserved at ${relay}, is not reached through ${through}`)),
  );
}

/** Counters whose totals are not the sum of what relays hold. */
export function wrongCounters(states: readonly RelayState[], key: string): string[] {
  const own = states.map((state) => countOf(state, key)?.own ?? 0);
  const held = states.map(({ holds }) => holds.length);
  const sum = held.reduce((a, b) => a + b, 0);
  const wrongOwn = states.flatMap(({ relay }, i) => (own[i] === held[i] ? [] : [`${relay} holds ${held[i]} and counts ${own[i]} of ${key}`]));
  const wrongTotal = states.flatMap((state) => {
    const total = countOf(state, key)?.total;
    return total === undefined || total === null || total === sum ? [] : [`${state.relay} believes that ${total} of ${key} are held; ${sum} are`];
  });
  return [...wrongOwn, ...wrongTotal];
}

function countOf({ counts }: RelayState, key: string): RelayState['counts'][number] | undefined {
  return counts.find((one) => one.key === key);
}

function admitted(history: readonly Operation[]): Attempt[] {
  return history.filter((operation): operation is Attempt => operation.kind === 'attempt' && operation.outcome === 'admitted');
}
