import { multiaddr } from '@multiformats/multiaddr';
import { isCircuit, parseIp, reachOf } from '../lib/addresses.ts';
import { isRelay, LISTEN_CODES, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** Where this node listens, what it tells others, and whether they reach it there. */

export function checkPort(facts: Facts): Item | undefined {
  const { config, network } = facts;
  const { listen } = config.network;
  if (!isRelay(facts)) {
    return undefined;
  }
  if (listen.length === 0) {
    return failed('port', 'network.listen is empty: a relay that accepts no connections relays nothing', 'set network.listen, for example [/ip4/0.0.0.0/tcp/4001]');
  }
  if (network.problem !== undefined && LISTEN_CODES.has(network.problem.code)) {
    return failed('port', network.problem.message, 'free the port (ss -ltnp shows who has it), or set another in network.listen');
  }
  const moving = listen.filter((addr) => /\/(tcp|udp)\/0(\/|$)/.test(addr));
  return moving.length === 0
    ? ok('port', `fixed: ${listen.join(', ')}`)
    : warning('port', `${moving.join(', ')}: another port at every start, so that no firewall rule and no address in a list lasts`, 'set a fixed port in network.listen, such as 4001');
}

/** Of a relay: a client behind NAT is reached through others. */
export function checkAnnounced(facts: Facts): Item | undefined {
  const { config, network } = facts;
  if (!isRelay(facts) || config.network.listen.length === 0) {
    return undefined;
  }
  const told = toldAddrs(facts);
  const reaches = told.filter((addr) => reachOf(multiaddr(addr)) === 'public');
  if (reaches.length > 0) {
    return partlyPrivate(told, reaches, config.network.announce.length > 0);
  }
  const what = told.length === 0 ? `no address but loopback is there (${network.ownIps.join(', ') || 'no device'})` : `only private addresses are told to others: ${told.join(', ')}`;
  if (config.network.allowPrivate) {
    return warning('announced-addresses', `${what}; network.allowPrivate is set, so peers of the same network can use them, and nobody else`, 'for a relay in the Internet set network.announce to its public address and take network.allowPrivate away; in a network of your own acknowledge it (doctor.acknowledge)');
  }
  return failed('announced-addresses', `${what}: nobody outside can dial them`, 'forward the port in the router and set network.announce to its public address, such as [/ip4/203.0.113.7/tcp/4001] or [/dns4/relay.example.org/tcp/4001]');
}

/** Found private addresses are not told (network.allowPrivate); written ones are. */
function partlyPrivate(told: readonly string[], reaches: readonly string[], areWritten: boolean): Item {
  const rest = told.filter((addr) => !reaches.includes(addr));
  return areWritten && rest.length > 0
    ? warning('announced-addresses', `network.announce names ${rest.join(', ')}, which nobody outside can dial: peers lose time with it`, 'take private addresses out of network.announce')
    : ok('announced-addresses', reaches.join(', '));
}

/** A daemon knows; without one they are worked out as it would. */
function toldAddrs(facts: Facts): string[] {
  const { config, network } = facts;
  const daemon = running(facts);
  if (daemon !== undefined) {
    return daemon.status.addrs.filter((addr) => !isCircuit(multiaddr(addr))).map(withoutPeer);
  }
  return config.network.announce.length > 0 ? [...config.network.announce] : config.network.listen.flatMap((addr) => onDevices(addr, network.ownIps));
}

/** `/ip4/0.0.0.0/…` stands for every address of the machine. */
function onDevices(addr: string, ips: readonly string[]): string[] {
  const [, family, host, ...rest] = addr.split('/');
  const isAny = host === '0.0.0.0' || host === '::';
  const hosts = isAny ? ips.filter((ip) => (parseIp(ip)?.kind() === 'ipv6') === (family === 'ip6')) : [host];
  return hosts.map((ip) => `/${family}/${ip}/${rest.join('/')}`);
}

function withoutPeer(addr: string): string {
  return addr.replace(/\/p2p\/[^/]+$/, '');
}
