import type { StoreTlsConfig } from '../config/domain.ts';
import type { ClusterRelayRow, ClusterView } from '../lib/contracts.ts';
import { isRelay, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** The items of tier 3: relays of one cluster, and what they share. */

/** A quorum of three goes on without one of them, and so do clients who hold two of three relays. */
const ENOUGH = 3;

export function isClusterRelay({ config }: Facts): boolean {
  return config.role !== 'client' && config.coordination.backend !== 'none';
}

/** As the running relay knows it. */
export function clusterOf(facts: Facts): ClusterView | undefined {
  return running(facts)?.cluster;
}

function othersOf(facts: Facts): ClusterRelayRow[] | undefined {
  return clusterOf(facts)?.relays.filter(({ self }) => !self);
}

/** Whether what the relays share is there, and is nobody else's. */
export function checkClusterStore(facts: Facts): Item | undefined {
  const { config } = facts;
  if (!isClusterRelay(facts)) {
    return config.profile === 'tier3' && isRelay(facts) ? failed('cluster-store', 'the profile is tier3, and coordination.backend is none: this relay shares nothing with others', 'set coordination.backend, or profile: tier2') : undefined;
  }
  const { backend } = config.coordination;
  const problem = clusterOf(facts)?.problem ?? null;
  if (problem !== null) {
    return failed('cluster-store', problem, 'until it answers, this relay works by its own limits and its part of those over the cluster; docs/tier3 says what to look at');
  }
  const isAnswering = clusterOf(facts) !== undefined;
  if (backend === 'gossip') {
    return isAnswering ? ok('cluster-store', 'the relays tell each other, on connections that the secret of the cluster opens') : undefined;
  }
  const weakness = weaknessOf(facts);
  const name = backend === 'redis' ? 'Redis' : 'etcd';
  if (weakness !== undefined) {
    return warning('cluster-store', `${name}${isAnswering ? ' answers, but' : ':'} ${weakness}`, `give relayd a user of its own in ${name} and TLS (docs/tier3)`);
  }
  return ok('cluster-store', `${name} ${isAnswering ? 'answers' : 'is configured'}, ${accessOf(facts)}`);
}

interface Entrance {
  readonly urls: readonly string[];
  readonly hosts: readonly string[];
  readonly passwordFile: string | undefined;
  readonly tls: StoreTlsConfig;
}

function entranceOf({ config: { coordination: { backend, redis, etcd } } }: Facts): Entrance {
  if (backend === 'etcd') {
    return { urls: etcd.endpoints, hosts: etcd.endpoints.map(hostOf), passwordFile: etcd.passwordFile, tls: etcd.tls };
  }
  const urls = [redis.url, ...redis.nodes];
  return { urls, hosts: redis.sentinels.length > 0 ? redis.sentinels.map(({ host }) => host) : urls.map(hostOf), passwordFile: redis.passwordFile, tls: redis.tls };
}

/** What anyone could do there who is not to. */
function weaknessOf(facts: Facts): string | undefined {
  const { urls, hosts, passwordFile, tls } = entranceOf(facts);
  const isEncrypted = urls.every((url) => /^(rediss|https):/.test(url));
  if (!isEncrypted && !hosts.every(isHere)) {
    return 'it is on another machine, without TLS (coordination.allowPlaintext)';
  }
  return passwordFile === undefined && tls.certFile === undefined ? 'whoever reaches it can read and change all, for it asks for no password' : undefined;
}

function accessOf(facts: Facts): string {
  const { urls, passwordFile } = entranceOf(facts);
  const how = passwordFile === undefined ? 'with a certificate' : 'with a password';
  return `${how}, ${urls.every((url) => /^(rediss|https):/.test(url)) ? 'over TLS' : 'on this machine'}`;
}

function hostOf(url: string): string {
  return new URL(url).hostname;
}

function isHere(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host);
}

const AWAY = 'while it is away, circuits go on, and each relay admits by its own part of the limits';

/** What is left when one machine fails. */
export function checkClusterRedundancy(facts: Facts): Item | undefined {
  if (!isClusterRelay(facts)) {
    return undefined;
  }
  const { backend, relays, redis, etcd } = facts.config.coordination;
  if (backend === 'gossip') {
    return gossipRedundancy(othersOf(facts)?.length, relays.length);
  }
  if (backend === 'etcd') {
    const count = etcd.endpoints.length;
    return count < ENOUGH
      ? warning('cluster-redundancy', `etcd: ${count === 1 ? 'one endpoint' : 'two endpoints, of which a majority is both'}; ${AWAY}`, 'run three or five members of etcd on machines of their own, and list all in coordination.etcd.endpoints')
      : ok('cluster-redundancy', `etcd: ${count} endpoints`);
  }
  if (redis.nodes.length > 0) {
    return ok('cluster-redundancy', `Redis Cluster: ${redis.nodes.length + 1} nodes are named`);
  }
  const { length } = redis.sentinels;
  return length < ENOUGH
    ? warning('cluster-redundancy', length === 0 ? `one Redis; ${AWAY}` : `${length} sentinels: when one is lost, the others are no majority that could make a replica the primary; ${AWAY}`, 'run a replica and three sentinels, and list them in coordination.redis.sentinels')
    : ok('cluster-redundancy', `Redis with ${length} sentinels`);
}

function gossipRedundancy(others: number | undefined, named: number): Item | undefined {
  const known = others ?? named;
  if (known + 1 >= ENOUGH) {
    return ok('cluster-redundancy', `${known} other relays ${others === undefined ? 'are named' : 'are there'}`);
  }
  // The first relay names nobody, and others name it: without the daemon nothing is known.
  return others === undefined && named === 0 ? undefined : warning('cluster-redundancy', `${known === 0 ? 'no other relay' : 'one other relay'} ${others === undefined ? 'is named' : 'is there'}: of two relays, none can tell whether the other is gone or cut off`, 'run three relays or more, on machines of their own');
}

/** Who should be there and is not: it is down, cut off, or holds another secret. */
export function checkClusterMembers(facts: Facts): Item | undefined {
  const rows = clusterOf(facts)?.relays;
  if (rows === undefined) {
    return undefined;
  }
  const missing = facts.config.coordination.relays.filter((addr) => !rows.some(({ peer }) => addr.endsWith(`/p2p/${peer}`)));
  const strangers = countOf(facts, 'relayd_cluster_link_handshakes_total', 'outcome', 'refused') + countOf(facts, 'relayd_cluster_records_rejected_total', 'reason', 'secret');
  const hint = strangers > 0 ? `; ${strangers} times somebody came who does not hold the secret of this cluster` : '';
  if (missing.length > 0) {
    return failed('cluster-members', `${missing.join(', ')} (coordination.relays) is not in the cluster ${facts.config.coordination.cluster}${hint}`, 'start it; look whether coordination.cluster and the file of coordination.secretFile are the same there');
  }
  return strangers > 0
    ? warning('cluster-members', `${rows.length} relays${hint}`, 'where that is a relay of yours: give it the same coordination.secretFile and coordination.cluster, and restart it; its log names who refuses it')
    : ok('cluster-members', `${rows.length === 1 ? 'one relay' : `${rows.length} relays`} in ${facts.config.coordination.cluster}`);
}

function countOf(facts: Facts, name: string, label: string, value: string): number {
  const found = running(facts)?.series.find((series) => series.name === name && series.labels[label] === value);
  return found?.value ?? 0;
}

/** Limits and realm are to be the same: a user would get the widest of them. */
export function checkClusterAgreement(facts: Facts): Item | undefined {
  const others = othersOf(facts);
  if (others === undefined || others.length === 0) {
    return undefined;
  }
  const differing = others.filter(({ agrees }) => !agrees).map(({ peer }) => peer);
  return differing.length > 0
    ? failed('cluster-agreement', `${differing.join(', ')} ${differing.length === 1 ? 'has' : 'have'} other limits over the cluster, another realm or other access lists than this relay`, 'make coordination.limits, coordination.memberLimits, realm (name, authority, members) and relay.access the same on all relays; relayd reload applies all but the name')
    : ok('cluster-agreement', 'all relays have the same limits over the cluster, and the same realm');
}

/** Circuits between relays, and shares of limits, go over these connections. */
export function checkClusterLinks(facts: Facts): Item | undefined {
  const others = othersOf(facts);
  if (others === undefined || others.length === 0) {
    return undefined;
  }
  const unlinked = others.filter(({ linked }) => linked === false).map(({ peer }) => peer);
  if (unlinked.length > 0) {
    return failed('cluster-links', `this relay has no connection to ${unlinked.join(', ')}: circuits to peers there fail`, 'open the ports of network.listen between the relays, and set network.announce where an address is not one of the machine');
  }
  const fewest = facts.prometheus?.fewestSeen;
  const all = others.length + 1;
  return fewest !== undefined && fewest < all
    ? failed('cluster-links', `one of the ${all} relays sees ${fewest} of them`, 'relayd status --cluster on each shows which does not see which; look at the network between them')
    : ok('cluster-links', fewest === undefined ? `this relay is connected to ${others.length === 1 ? 'the other one' : `all ${others.length} others`}` : `each of the ${all} relays sees all`);
}

export function checkClusterMonitored(facts: Facts): Item | undefined {
  const { prometheus } = facts;
  const rows = clusterOf(facts)?.relays;
  if (rows === undefined || prometheus === undefined || prometheus.error !== undefined) {
    return undefined;
  }
  return prometheus.relays < rows.length
    ? warning('cluster-monitored', `${prometheus.url} knows ${prometheus.relays} of ${rows.length} relays`, 'add every relay to the targets of Prometheus, or let one Prometheus take from those of all (configs/prometheus/prometheus-federation.yaml)')
    : ok('cluster-monitored', `${prometheus.url} knows ${prometheus.relays} relays`);
}
