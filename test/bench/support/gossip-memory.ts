import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ReservationTable } from '../../../src/coordination/gossip/reservation-table.ts';

const ENTRIES = 1_000_000;
const ID_CHARS = 52;

/** What a reservation takes in memory: its id as a text of its own, its place in the map, and its numbers. */
export function entryBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage();
  const table = new ReservationTable();
  for (let i = 0; i < ENTRIES; i++) table.set(Buffer.from(String(i).padEnd(ID_CHARS, 'x')).toString('latin1'), { sequence: i, toldAt: i, expiresAt: i });
  collect();
  const after = process.memoryUsage();
  return (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / table.size;
}
