import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** A person who waits for an answer notices more than this. */
const SLOW_MS = 5_000;

/** How the client came back when it lost its best relay on purpose. */
export function checkFailover({ rehearsal }: Facts): Item | undefined {
  if (rehearsal === undefined) {
    return undefined;
  }
  const advice = 'name more relays in client.relays, and set client.desired to 2 or more: the one that is held already takes over at once';
  if ('error' in rehearsal) {
    return failed('failover', rehearsal.error, advice);
  }
  const { dropped, heldBefore, heldAfter, recoveredMs, tookOver } = rehearsal;
  const time = `${(recoveredMs / 1000).toFixed(recoveredMs < 1000 ? 3 : 1)} s`;
  const isAlone = heldAfter === 0 && tookOver === dropped;
  const how = tookOver === dropped ? `with the same relay again${isAlone ? ': there is no other' : ''}` : `with ${tookOver}`;
  const meanwhile = heldAfter > 0 ? `this node stayed reachable through ${heldAfter} of ${heldBefore} relays` : 'this node could not be reached meanwhile';
  const reason = `dropped ${dropped}; ${meanwhile}, and held ${heldBefore} again after ${time}, ${how}`;
  return recoveredMs > SLOW_MS || isAlone ? warning('failover', reason, advice) : ok('failover', reason);
}
