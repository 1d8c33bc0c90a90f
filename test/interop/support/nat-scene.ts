import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../../../scripts/lib/daemon.ts';
import { createIdentity } from '../../../src/node/index.ts';
import { Lab } from '../../support/netns/lab.ts';
import type { Namespace } from '../../support/netns/namespace.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ADDR = { relay: '45.0.1.2', natA: '45.0.2.2', natB: '45.0.3.2', a: '192.168.1.2', b: '192.168.2.2' } as const;

/** An address of the relay as clients know it, by transport. */
const RELAY_AT = { tcp: `/ip4/${ADDR.relay}/tcp/4001`, quic: `/ip4/${ADDR.relay}/udp/4001/quic-v1` };

/** A daemon in a namespace, which is asked over its unix socket. */
export interface NatNode {
  readonly peerId: string;
  get<T>(path: string): Promise<T>;
  ping(peer: string, options?: { fresh?: boolean; count?: number }): Promise<Record<string, unknown>>;
  failure(problem: string): Error;
}

/**
 * A relay on the public side and two machines, each behind a router of its own that translates addresses and lets nothing
 * in unasked: `a` and `b` reach each other through the relay alone.
 */
export class NatScene {
  readonly lab = new Lab();
  readonly net: Namespace;
  readonly relay: Namespace;
  readonly natA: Namespace;
  readonly natB: Namespace;
  readonly a: Namespace;
  readonly b: Namespace;
  readonly #dir: string;
  /** The relay's first. */
  readonly #daemons: Daemon[] = [];

  static async open(): Promise<NatScene> {
    return new NatScene(await mkdtemp(join(tmpdir(), 'relayd-nat-')));
  }

  private constructor(dir: string) {
    this.#dir = dir;
    const { lab } = this;
    this.net = lab.router('net');
    this.relay = lab.host('relay');
    [this.natA, this.natB] = [lab.router('nat-a'), lab.router('nat-b')];
    [this.a, this.b] = [lab.host('a'), lab.host('b')];
    this.#attach(this.relay, ADDR.relay, this.net);
    this.#attach(this.natA, ADDR.natA, this.net);
    this.#attach(this.natB, ADDR.natB, this.net);
    this.#attach(this.a, ADDR.a, this.natA);
    this.#attach(this.b, ADDR.b, this.natB);
    [this.natA, this.natB].forEach((nat) => nat.masquerade(this.net));
  }

  /** What goes straight from one router to the other, of one kind, is lost on the way, both ways. @returns undoes it */
  cut(protocol: 'tcp' | 'udp'): () => void {
    const undo = [[ADDR.natA, ADDR.natB], [ADDR.natB, ADDR.natA]].map(([from, to]) => this.net.filter(`ip saddr ${from} ip daddr ${to} meta l4proto ${protocol}`, 'drop'));
    return () => undo.forEach((undoOne) => undoOne());
  }

  async startRelay(): Promise<NatNode> {
    return await this.#start('relay', this.relay, { role: 'relay', network: { listen: ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/udp/4001/quic-v1'] }, relay: { prefixes: { exempt: ['45.0.0.0/16'] } } });
  }

  async startClient(name: string, at: Namespace, relay: NatNode, options: { over?: 'tcp' | 'quic'; client?: object; tunnels?: object; network?: object } = {}): Promise<NatNode> {
    const { over = 'tcp', client, tunnels = {}, network } = options;
    return await this.#start(name, at, { role: 'client', network: { listen: [], ...network }, client: { relays: [this.relayAddr(relay, over)], ...client }, tunnels });
  }

  relayAddr(relay: NatNode, over: 'tcp' | 'quic' = 'tcp'): string {
    return `${RELAY_AT[over]}/p2p/${relay.peerId}`;
  }

  /** The id that the client of that name will have. */
  async peerId(name: string): Promise<string> {
    const dataDir = join(this.#dir, name);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    return (await createIdentity(join(dataDir, 'identity.key'))).peerId.toString();
  }

  async stopClients(): Promise<void> {
    await Promise.all(this.#daemons.splice(1).map((daemon) => daemon.stop()));
  }

  async close(): Promise<void> {
    await this.stopClients();
    await this.#daemons[0]?.stop();
    this.lab.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #attach(machine: Namespace, address: string, router: Namespace): void {
    const gateway = address.replace(/\d+$/, '1');
    this.lab.cable(router, gateway, machine, address);
    machine.defaultRoute(gateway);
  }

  async #start(name: string, at: Namespace, config: Record<string, unknown>): Promise<NatNode> {
    const dataDir = join(this.#dir, name);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const socketPath = join(dataDir, 'admin.sock');
    const configFile = join(dataDir, 'config.yaml');
    const whole = { ...config, dataDir, admin: { listen: `unix:${socketPath}` }, drain: { timeout: '100ms' }, log: { level: 'debug', format: 'json' } };
    await writeFile(configFile, JSON.stringify(whole));
    const daemon = new Daemon({ name, command: at.command([process.execPath, '--disable-warning=ExperimentalWarning', MAIN]), configFile, dataDir });
    this.#daemons.push(daemon);
    const { peerId } = await daemon.ready();
    const token = async (): Promise<string> => (JSON.parse(await readFile(join(dataDir, 'admin.json'), 'utf8')) as { token: string }).token;
    return {
      peerId,
      get: async <T>(path: string) => JSON.parse(await ask({ socketPath, path, token: await token() })) as T,
      ping: async (peer, options = {}) => JSON.parse(await ask({ socketPath, path: '/api/v1/ping', token: await token(), body: { peer, count: 1, fresh: false, ...options } })) as Record<string, unknown>,
      failure: (problem) => daemon.failure(problem),
    };
  }
}

interface Ask {
  socketPath: string;
  path: string;
  token: string;
  body?: object;
}

function ask({ socketPath, path, token, body }: Ask): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const sent = request({ socketPath, path, method: body === undefined ? 'GET' : 'POST', headers, timeout: 30_000 }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    response.on('end', () => resolve(text));
  });
  sent.on('error', reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
