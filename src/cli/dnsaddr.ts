import { RelaydError } from '../lib/errors.ts';
import type { CandidateRow, ClusterView } from '../lib/contracts.ts';

/** TXT records of a zone, by which `/dnsaddr/NAME` stands for the relays that serve (multiaddr specification, "protocols/DNSADDR"). */

/** A relay that dies is gone from the answers within five minutes of the zone's next change; clients hold a second one meanwhile. */
export const DEFAULT_TTL_SECONDS = 300;

/** Of one text in a TXT record (RFC 1035, 3.3). */
const MAX_TEXT_CHARS = 255;

export interface ZoneOptions {
  /** `undefined`: the records stand under the zone's own name. */
  readonly name: string | undefined;
  readonly ttlSeconds: number;
}

/** Full addresses of the relays that take reservations now. */
export function healthyAddrs(cluster: ClusterView | undefined, candidates: readonly CandidateRow[]): string[] {
  if (cluster !== undefined) {
    return cluster.relays.filter(({ state }) => state === 'ready').flatMap(({ addrs }) => addrs);
  }
  const serving = candidates.filter(({ state, draining }) => !draining && (state === 'reserved' || state === 'standby'));
  return serving.map(({ addr, peer }) => (addr.endsWith(`/p2p/${peer}`) ? addr : `${addr}/p2p/${peer}`));
}

/** @throws RelaydError NO_ADDRESS: an empty zone would cut everybody off */
export function zoneRecords(addrs: readonly string[], { name, ttlSeconds }: ZoneOptions): string {
  if (addrs.length === 0) {
    throw new RelaydError('NO_ADDRESS', 'no relay is known that serves now, and records without one would cut everybody off: leave those that there are');
  }
  const owner = name === undefined ? '_dnsaddr' : `_dnsaddr.${name}.`;
  return addrs.map((addr) => `${owner} ${ttlSeconds} IN TXT ${texts(`dnsaddr=${addr}`)}\n`).join('');
}

function texts(value: string): string {
  const parts = value.match(new RegExp(`.{1,${MAX_TEXT_CHARS}}`, 'gs')) ?? [];
  return parts.map((part) => `"${part.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(' ');
}
