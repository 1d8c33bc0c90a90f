import { multiaddr } from '@multiformats/multiaddr';
import { ipOf, networkOf } from '../lib/addresses.ts';
import type { LiveRelay } from './relays.ts';

/** Loads that differ by less are the same: else all clients of all relays would be sent to one. */
const LOAD_STEP = 0.1;

/** Networks in which relays are likely to fail together. */
const SAME_NETWORK_BITS = { ipv4: 24, ipv6: 48 };

/** The relays that clients may be sent to, best first: those that serve, the least loaded before the others, and by turns from different regions and networks. */
export function bestFirst(relays: readonly LiveRelay[], own: { readonly region: string | undefined; readonly addrs: readonly string[] }): LiveRelay[] {
  const left = relays.filter(({ record }) => record.state === 'ready' && record.addrs.length > 0).sort((a, b) => stepOf(a) - stepOf(b) || (a.peer < b.peer ? -1 : 1));
  const used = new Map([[placeOf(own), 1]]);
  const chosen: LiveRelay[] = [];
  for (let next = left[0]; next !== undefined; next = left[0]) {
    // Of equal load, the one whose surroundings were named least.
    const equal = left.filter((relay) => stepOf(relay) === stepOf(next as LiveRelay));
    next = equal.reduce((best, relay) => (timesOf(used, relay) < timesOf(used, best) ? relay : best));
    used.set(placeOf(next.record), timesOf(used, next) + 1);
    left.splice(left.indexOf(next), 1);
    chosen.push(next);
  }
  return chosen;
}

/** Full addresses: one of each relay before the second of any. */
export function addressesOf(relays: readonly LiveRelay[]): string[] {
  const longest = Math.max(0, ...relays.map(({ record }) => record.addrs.length));
  return Array.from({ length: longest }, (_, i) => relays.flatMap(({ record }) => record.addrs.slice(i, i + 1))).flat();
}

function stepOf({ record }: LiveRelay): number {
  return Math.floor(record.load / LOAD_STEP);
}

function timesOf(used: ReadonlyMap<string, number>, { record }: LiveRelay): number {
  return used.get(placeOf(record)) ?? 0;
}

function placeOf({ region, addrs }: { readonly region: string | undefined; readonly addrs: readonly string[] }): string {
  const ip = addrs.map((addr) => ipOf(multiaddr(addr))).find((address) => address !== undefined);
  return `${region ?? ''} ${ip === undefined ? '' : networkOf(ip, SAME_NETWORK_BITS[ip.kind()])}`;
}
