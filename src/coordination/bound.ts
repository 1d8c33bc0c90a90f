/**
 * How much of a limit over the cluster a relay may work with when it can count with `seen` relays (itself included) of the `known` ones: all of it while it
 * sees more than half, for no other part can say that of itself; else the part of those that it sees. What all parts use together stays within the
 * limit and what was held already when they were cut.
 */
export function usableLimit(limit: number, seen: number, known: number): number {
  return 2 * seen > known ? limit : Math.floor((limit * seen) / known);
}
