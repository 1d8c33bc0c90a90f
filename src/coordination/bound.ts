/**
 * How much of a limit over the cluster a relay may work with when it can count with `seen` relays (itself included) of the `known` ones: all of it while it
 * sees more than half, for no other part can say that of itself; else the part of those that it sees, and one at least: of a limit that is smaller than
 * the number of relays, a part that may give nothing would refuse everybody. What all parts use together stays within the limit, what was held already when
 * they were cut, and one more for each part whose share is less than one.
 */
export function usableLimit(limit: number, seen: number, known: number): number {
  return 2 * seen > known ? limit : Math.max(Math.min(limit, 1), partOf(limit, seen, known));
}

/** What is left to one relay that is not seen, by those that work with the whole limit. */
export function leftToOne(limit: number, known: number): number {
  return partOf(limit, 1, known);
}

function partOf(limit: number, seen: number, known: number): number {
  return Math.floor((limit * seen) / known);
}
