import { running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** What a client needs: relays to choose from, and reservations with some. */

export function checkRelaysNamed({ config }: Facts): Item | undefined {
  if (config.role !== 'client') {
    return undefined;
  }
  const { client, discovery } = config;
  const named = new Set([...client.relays, ...discovery.bootstrap]).size;
  const isSearching = discovery.dht.enabled || discovery.mdns || [...client.relays, ...discovery.bootstrap].some((addr) => addr.startsWith('/dnsaddr/'));
  if (named === 0 && !isSearching) {
    return failed('relays-named', 'no relay is named and none is searched for: client.relays and discovery.bootstrap are empty, the DHT and mDNS are off', "set client.relays to the full addresses of your relays (relayd status shows a relay's own)");
  }
  return named < client.desired && !isSearching
    ? warning('relays-named', `client.desired is ${client.desired}, and ${named} relay is named: there is none to fail over to`, 'name at least as many relays in client.relays as client.desired says, in different regions')
    : ok('relays-named', `${named} named${isSearching ? ', and more are searched for' : ''}`);
}

export function checkHeld(facts: Facts): Item | undefined {
  const daemon = running(facts);
  const client = daemon?.status.client;
  if (daemon === undefined || client === undefined || client.desired === 0) {
    return undefined;
  }
  const reason = `${client.held} of ${client.desired} reservations are held`;
  if (client.held >= client.desired) {
    return ok('reservations-held', reason);
  }
  const why = daemon.relays.filter(({ state }) => state !== 'reserved').map(({ peer, reason: text }) => `${peer}: ${text ?? 'not tried yet'}`);
  const detail = why.length === 0 ? 'no other relay is known' : why.slice(0, MAX_SHOWN).join('; ');
  const advice = 'relayd relays says why each is not used; name more relays in client.relays';
  if (client.held > 0) {
    return warning('reservations-held', `${reason}; ${detail}`, advice);
  }
  // A node that relays for others does not stop doing so without a relay of its own.
  const judge = facts.config.role === 'both' ? warning : failed;
  return judge('reservations-held', `${reason}: peers behind NAT cannot reach this node; ${detail}`, advice);
}

const MAX_SHOWN = 3;
