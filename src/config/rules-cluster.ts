import { isLoopbackHost } from '../lib/addresses.ts';
import type { CoordinationConfig, RelaydConfig, StoreTlsConfig } from './domain.ts';
import type { Path } from './layer.ts';
import type { Book } from './rule-book.ts';

/** What must hold where relays share something (Tier 3). Of a backend that is not used, nothing is asked. */

const MAKE_SECRET = '(umask 077; openssl rand -hex 32 > cluster.secret)';

export function checkCluster(book: Book, config: RelaydConfig): void {
  const { role, coordination } = config;
  if (coordination.backend === 'none' || !book.isValid('coordination.backend', 'role')) {
    return;
  }
  if (role === 'client') {
    book.report('coordination.backend', [], 'a client is no relay of a cluster', 'leave it out, or role: relay or both; a client needs only the addresses of relays (client.relays)');
    return;
  }
  checkSecret(book, config);
  if (coordination.backend === 'redis') {
    checkRedis(book, coordination);
  } else if (coordination.backend === 'etcd') {
    checkEtcd(book, coordination);
  }
}

/** A profile's backend is the profile's doing: the error stands where a person chose it. */
function checkSecret(book: Book, { coordination }: RelaydConfig): void {
  if (coordination.secretFile !== undefined || !book.isValid('coordination.secretFile')) {
    return;
  }
  const chosenBy = book.get('coordination.backend').layer === 'profile' ? 'profile' : 'coordination.backend';
  book.report(chosenBy, [], 'the relays of a cluster need a secret, and coordination.secretFile is not set', `a file with 64 hex digits, the same on each relay: ${MAKE_SECRET}`);
}

function checkRedis(book: Book, { redis, allowPlaintext }: CoordinationConfig): void {
  if (redis.nodes.length > 0 && redis.sentinels.length > 0 && book.isValid('coordination.redis.nodes', 'coordination.redis.sentinels')) {
    book.report(book.strongest('coordination.redis.nodes', 'coordination.redis.sentinels'), [], 'both nodes of a Redis Cluster and sentinels are set', 'one of them: a Redis Cluster elects its primaries without sentinels');
  }
  checkSchemes(book, [redis.url, ...redis.nodes]);
  if (redis.nodes.length > 0 && databaseOf(redis.url) > 0 && book.isValid('coordination.redis.url')) {
    book.report('coordination.redis.url', [], 'a Redis Cluster has only database 0', 'leave the number out');
  }
  if (redis.username !== undefined && redis.passwordFile === undefined && book.isValid('coordination.redis.passwordFile')) {
    book.report('coordination.redis.username', [], 'there is no password for it', 'set coordination.redis.passwordFile, or leave the name out');
  }
  checkSentinelUser(book, redis);
  const servers = [...redis.nodes.map((url, index) => ({ key: 'coordination.redis.nodes', inside: [index], host: hostOf(url) })), ...redisEntrances(redis)];
  checkStore(book, { key: 'coordination.redis', tls: redis.tls, encrypted: redis.url.startsWith('rediss:'), password: redis.passwordFile, allowPlaintext, servers });
}

/** Who a relay is at the sentinels. */
function checkSentinelUser(book: Book, { sentinels, sentinelUsername, sentinelPasswordFile }: CoordinationConfig['redis']): void {
  const [name, password] = ['coordination.redis.sentinelUsername', 'coordination.redis.sentinelPasswordFile'] as const;
  if ((sentinelUsername ?? sentinelPasswordFile) === undefined || !book.isValid('coordination.redis.sentinels', name, password)) {
    return;
  }
  if (sentinels.length === 0) {
    book.report(sentinelPasswordFile === undefined ? name : password, [], 'there are no sentinels', 'set coordination.redis.sentinels, or leave it out');
  } else if (sentinelPasswordFile === undefined) {
    book.report(name, [], 'there is no password for it', `set ${password}, or leave the name out`);
  }
}

/** Where a connection begins: what the URL names, or the sentinels in its place. */
function redisEntrances({ url, sentinels }: CoordinationConfig['redis']): Server[] {
  const named = sentinels.map(({ host }, index) => ({ key: 'coordination.redis.sentinels', inside: [index], host }));
  return named.length > 0 ? named : [{ key: 'coordination.redis.url', inside: [], host: hostOf(url) }];
}

/** One connection pool speaks TLS or does not. */
function checkSchemes(book: Book, [first = '', ...nodes]: readonly string[]): void {
  const index = nodes.findIndex((node) => schemeOf(node) !== schemeOf(first));
  if (index >= 0 && book.isValid('coordination.redis.url', 'coordination.redis.nodes')) {
    book.report('coordination.redis.nodes', [index], `it begins with ${schemeOf(nodes[index] ?? '')}//, and coordination.redis.url with ${schemeOf(first)}//`, 'TLS for all of them or for none');
  }
}

function checkEtcd(book: Book, { etcd, allowPlaintext }: CoordinationConfig): void {
  const [name, password] = ['coordination.etcd.username', 'coordination.etcd.passwordFile'] as const;
  if ((etcd.username === undefined) !== (etcd.passwordFile === undefined) && book.isValid(name, password)) {
    book.report(etcd.username === undefined ? password : name, [], `${etcd.username === undefined ? name : password} is not set`, 'both or none');
  }
  const other = etcd.endpoints.findIndex((url) => schemeOf(url) !== schemeOf(etcd.endpoints[0] ?? ''));
  if (other >= 0 && book.isValid('coordination.etcd.endpoints')) {
    book.report('coordination.etcd.endpoints', [other], `it begins with ${schemeOf(etcd.endpoints[other] ?? '')}//, and the first with ${schemeOf(etcd.endpoints[0] ?? '')}//`, 'TLS for all of them or for none');
  }
  const servers = etcd.endpoints.map((url, index) => ({ key: 'coordination.etcd.endpoints', inside: [index], host: hostOf(url) }));
  checkStore(book, { key: 'coordination.etcd', tls: etcd.tls, encrypted: schemeOf(etcd.endpoints[0] ?? '') === 'https:', password: etcd.passwordFile, allowPlaintext, servers });
}

interface Server {
  key: string;
  inside: Path;
  host: string;
}

interface Store {
  key: string;
  tls: StoreTlsConfig;
  encrypted: boolean;
  password: string | undefined;
  allowPlaintext: boolean;
  servers: readonly Server[];
}

/** What goes over a network to a store is encrypted, and the store asks who is there. */
function checkStore(book: Book, { key, tls, encrypted, password, allowPlaintext, servers }: Store): void {
  checkTls(book, key, tls, encrypted);
  const far = servers.find((server) => book.isValid(server.key) && !isLoopbackHost(server.host));
  if (far === undefined || allowPlaintext || !book.isValid('coordination.allowPlaintext', `${key}.passwordFile`)) {
    return;
  }
  const otherwise = 'or, in a network that is yours alone, coordination.allowPlaintext: true';
  if (!encrypted) {
    book.report(far.key, far.inside, `${far.host} is another machine, and what goes there is not encrypted`, `${key === 'coordination.redis' ? 'rediss://… (coordination.redis.url)' : 'https://…'}, ${otherwise}`);
  } else if (password === undefined && tls.certFile === undefined) {
    book.report(far.key, far.inside, `${far.host} is another machine, and nothing shows the store who asks`, `set ${key}.passwordFile or ${key}.tls.certFile, ${otherwise}`);
  }
}

function checkTls(book: Book, key: string, tls: StoreTlsConfig, encrypted: boolean): void {
  const files = { caFile: tls.caFile, certFile: tls.certFile, keyFile: tls.keyFile };
  const set = Object.entries(files).flatMap(([name, file]) => (file === undefined ? [] : [`${key}.tls.${name}`]));
  const [first] = set;
  if (first === undefined || !book.isValid(...Object.keys(files).map((name) => `${key}.tls.${name}`))) {
    return;
  }
  if (!encrypted) {
    book.report(first, [], 'TLS is not spoken with the store', `${key === 'coordination.redis' ? 'coordination.redis.url: rediss://…' : 'coordination.etcd.endpoints: [https://…]'}, or leave it out`);
  } else if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    const [has, lacks] = tls.certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
    book.report(`${key}.tls.${has}`, [], `${key}.tls.${lacks} is not set`, 'both or none');
  }
}

/** The URLs have been parsed by their types. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

function schemeOf(url: string): string {
  return url.slice(0, url.indexOf('/'));
}

function databaseOf(url: string): number {
  return Number(new URL(url).pathname.slice(1));
}
