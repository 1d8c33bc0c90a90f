import { isLoopbackHost } from '../lib/addresses.ts';
import { isQuicAddress, isWildcard, spokenAt } from './addresses.ts';
import type { Spoken } from './addresses.ts';
import type { ClassLimits, HostPort, RelaydConfig } from './domain.ts';
import type { Path } from './layer.ts';
import type { EffectiveConfig } from './merge.ts';
import type { ConfigProblem } from './problem.ts';
import { Book } from './rule-book.ts';
import { checkCluster } from './rules-cluster.ts';
import { encode } from './written.ts';
import { formatSize } from './units.ts';

/** What must hold between keys. A rule whose keys are wrong by themselves is not checked. */
export function ruleProblems(config: RelaydConfig, effective: EffectiveConfig, invalid: ReadonlySet<string>): ConfigProblem[] {
  const book = new Book(effective, invalid);
  checkOrder(book, 'connections.low', 'connections.high');
  checkOrder(book, 'connections.high', 'connections.max');
  checkOrder(book, 'client.probe.timeout', 'client.probe.interval');
  checkMemory(book, 'relay.limits', config.relay.limits);
  checkMemory(book, 'relay.memberLimits', config.relay.memberLimits);
  checkAdmin(book, config);
  checkServiceNames(book, config);
  checkListeners(book, config);
  checkPrivateNetwork(book, config);
  checkCertificate(book, config);
  checkCluster(book, config);
  return book.problems;
}

function checkOrder(book: Book, small: string, large: string): void {
  const [low, high] = [book.get(small), book.get(large)];
  if (!book.isValid(small, large) || (low.value as number) <= (high.value as number)) {
    return;
  }
  const [lowText, highText] = [String(encode(low)), String(encode(high))];
  if (book.strongest(small, large) === small) {
    book.report(small, [], `${lowText} is more than ${large}, which is ${highText} (${high.origin})`, `at most ${highText}, or raise ${large}`);
  } else {
    book.report(large, [], `${highText} is less than ${small}, which is ${lowText} (${low.origin})`, `at least ${lowText}, or lower ${small}`);
  }
}

/** A pool that cannot hold one circuit, which has two directions, lets none through. */
function checkMemory(book: Book, limits: string, { memory }: ClassLimits): void {
  const [each, total] = [`${limits}.memory.perDirection`, `${limits}.memory.total`];
  if (!book.isValid(each, total) || memory.total >= 2 * memory.perDirection) {
    return;
  }
  if (book.strongest(each, total) === each) {
    book.report(each, [], `one circuit, which has two directions, does not fit in ${total}, which is ${formatSize(memory.total)} (${book.get(total).origin})`, `at most half of it, or raise ${total}`);
  } else {
    book.report(total, [], `one circuit, of two directions of ${formatSize(memory.perDirection)} (${each}), does not fit`, `at least ${formatSize(2 * memory.perDirection)}`);
  }
}

function checkAdmin(book: Book, { admin }: RelaydConfig): void {
  if (!book.isValid('admin.listen', 'admin.tokenFile') || 'socketPath' in admin.listen || isLoopbackHost(admin.listen.host) || admin.tokenFile !== undefined) {
    return;
  }
  book.report('admin.listen', [], 'other machines can reach this address, and there is no token', 'set admin.tokenFile, or listen on 127.0.0.1 or unix:/path');
}

function checkServiceNames(book: Book, { tunnels }: RelaydConfig): void {
  for (const [index, { name }] of tunnels.expose.entries()) {
    const first = tunnels.expose.findIndex((other) => other.name === name);
    if (first < index && book.isValid('tunnels.expose')) {
      book.report('tunnels.expose', [index, 'name'], `${name} is the name of tunnels.expose[${first}] too`, 'a name of its own');
    }
  }
}

interface Listener {
  key: string;
  inside: Path;
  at: HostPort;
  /** For libp2p. QUIC's is a UDP port; what listens elsewhere has a TCP port of the same number to itself. */
  speaks?: Spoken;
}

/** Two listeners cannot share a port, unless each has an address of its own, or the first bytes of a connection tell which it is for. */
function checkListeners(book: Book, config: RelaydConfig): void {
  const listeners = listenersOf(config).filter(({ key, at }) => book.isValid(key) && at.port !== 0);
  for (const [index, listener] of listeners.entries()) {
    const others = listeners.slice(0, index).filter((earlier) => collide(earlier, listener));
    const other = others.find((earlier) => !mayShare(earlier, listener));
    const unshared = others.length > 0 ? whyUnshared(config) : undefined;
    if (other === undefined && unshared !== undefined) {
      book.report(listener.key, listener.inside, `port ${listener.at.port} cannot serve TCP and WebSocket both ${unshared}`, 'a port of its own');
    } else if (other !== undefined) {
      const taken = [other.key, ...other.inside.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))].join('');
      book.report(listener.key, listener.inside, `port ${listener.at.port} is taken by ${taken}`, 'a port of its own, or 0 for a free one');
    }
  }
}

function listenersOf({ network, admin, tunnels }: RelaydConfig): Listener[] {
  const own = network.listen.map((address, index) => ({ key: 'network.listen', inside: [index], at: hostPortOf(address), speaks: spokenAt(address) }));
  const http = 'socketPath' in admin.listen ? [] : [{ key: 'admin.listen', inside: [], at: admin.listen }];
  return [...own, ...http, ...tunnels.forward.map(({ listen }, index) => ({ key: 'tunnels.forward', inside: [index, 'listen'], at: listen }))];
}

/** One address, and two kinds of WebSocket or TCP on it. */
function mayShare(a: Listener, b: Listener): boolean {
  return a.speaks !== undefined && b.speaks !== undefined && a.speaks !== b.speaks && a.at.host === b.at.host;
}

/** What keeps the first bytes from being told apart, or looked at. */
function whyUnshared({ network }: RelaydConfig): string | undefined {
  if (network.swarmKeyFile !== undefined) {
    return 'in a private network (network.swarmKeyFile), where first bytes are random';
  }
  return network.dataPath === 'stock' ? 'with network.dataPath: stock' : undefined;
}

/** TLS needs both files; a file by itself is half of a certificate. */
function checkCertificate(book: Book, { network: { listen, websocket } }: RelaydConfig): void {
  const keys = ['network.websocket.certFile', 'network.websocket.keyFile'] as const;
  const missing = keys.filter((_, index) => [websocket.certFile, websocket.keyFile][index] === undefined);
  if (missing.length === 0 || !book.isValid(...keys)) {
    return;
  }
  const [set] = keys.filter((key) => !missing.includes(key));
  const index = listen.findIndex((address) => spokenAt(address) === 'tls/ws');
  if (set !== undefined) {
    book.report(set, [], `${missing.join()} is not set`, 'both or none');
  } else if (index >= 0 && book.isValid('network.listen')) {
    book.report('network.listen', [index], 'there is no certificate for it', `set ${keys.join(' and ')}, or listen on /ws behind a proxy that ends TLS`);
  }
}

/** `/ip4/0.0.0.0/tcp/4001` and its kind, with what is spoken there behind it: the type lets nothing else through. */
function hostPortOf(address: string): HostPort {
  const parts = address.replace(/\/(quic-v1|ws|tls\/ws)$/, '').split('/');
  return { host: parts.at(-3) ?? '', port: Number(parts.at(-1)) };
}

function collide(a: Listener, b: Listener): boolean {
  if ((a.speaks === 'quic') !== (b.speaks === 'quic') || a.at.port !== b.at.port) {
    return false;
  }
  const [hostA, hostB] = [a.at.host, b.at.host].map((host) => (host === 'localhost' ? '127.0.0.1' : host)) as [string, string];
  const sameFamily = hostA.includes(':') === hostB.includes(':');
  return hostA === hostB || (sameFamily && (isWildcard(hostA) || isWildcard(hostB)));
}

/** A private network is a layer between TCP and the encryption; QUIC has both in one. */
function checkPrivateNetwork(book: Book, { network, client, discovery, coordination }: RelaydConfig): void {
  if (network.swarmKeyFile === undefined) {
    return;
  }
  const lists = { 'network.listen': network.listen, 'network.announce': network.announce, 'client.relays': client.relays, 'discovery.bootstrap': discovery.bootstrap, 'coordination.relays': coordination.relays };
  for (const [key, addresses] of Object.entries(lists).filter(([name]) => book.isValid(name))) {
    const index = addresses.findIndex(isQuicAddress);
    if (index >= 0) {
      book.report(key, [index], 'a private network (network.swarmKeyFile) cannot run over QUIC', 'an address over TCP');
    }
  }
}
