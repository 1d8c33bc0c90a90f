/**
 * Whom a client dials. Of two clients only one ever dials the other: a fresh dial closes what is open to the peer, and a client hangs up after it,
 * so that two that dial each other at once would drop each other's connection.
 *
 * @param from the number of the client
 * @param least how many numbers further at least
 * @returns the targets, one after the other and over again, from a random one on: the same one is not dialled again before all others were
 */
export function* targetsOf(from: number, peerIds: readonly string[], least = 1): Generator<string, never> {
  const count = peerIds.length;
  // The way back from a step is the rest of the round, which is none of these.
  const steps = Math.ceil(count / 2) - least;
  if (steps < 1) throw new Error(`${count} clients are too few: no two may dial each other`);
  for (let i = Math.floor(Math.random() * steps); ; i++) {
    yield peerIds[(from + least + (i % steps)) % count] ?? '';
  }
}
