import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../../../scripts/lib/daemon.ts';
import type { ReadyLine } from '../../../scripts/lib/daemon.ts';
import type { CircuitRow, ReservationRow } from '../../../src/lib/contracts.ts';
import { Scrape } from './metrics.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const REQUEST_TIMEOUT_MS = 10_000;

export interface RelayOptions {
  /** `relay.limits`, in the words of the config file. */
  limits?: object;
  /** CIDRs without limits per prefix. All test peers have one address: loopback unless said otherwise. */
  exempt?: string[];
  port?: number;
  /** In place of TCP on `port`. */
  listen?: readonly string[];
  /** `network.websocket`. */
  websocket?: object;
  /** `network.security`. */
  security?: string[];
  /** `realm`: the relay serves its members only. */
  realm?: object;
  /** One of a cluster, on gossip; the others' full addresses, as far as they are there. */
  cluster?: { secret: string; relays: readonly string[]; reservationAddrs?: 'own' | 'cluster' };
}

/** Circuits without limits, through which a MiB can pass. */
export const UNLIMITED = { circuits: { duration: 'unlimited', bytesPerDirection: 'unlimited' } };

/** Our relay as users run it: `relayd run --config FILE` in a process of its own. */
export class RelayDaemon {
  readonly #daemon: Daemon;
  readonly #dataDir: string;
  #ready: ReadyLine | undefined;

  static async start(options: RelayOptions = {}): Promise<RelayDaemon> {
    const dataDir = await mkdtemp(join(tmpdir(), 'relayd-interop-'));
    const configFile = join(dataDir, 'relay.yaml');
    if (options.cluster !== undefined) await writeFile(join(dataDir, 'cluster.secret'), options.cluster.secret, { mode: 0o600 });
    await writeFile(configFile, JSON.stringify(configOf(options, dataDir)));
    const relay = new RelayDaemon(configFile, dataDir);
    try {
      relay.#ready = await relay.#daemon.ready();
      return relay;
    } catch (error) {
      await relay.#remove();
      throw error;
    }
  }

  private constructor(configFile: string, dataDir: string) {
    this.#dataDir = dataDir;
    this.#daemon = new Daemon({ name: 'our relay', command: [process.execPath, '--disable-warning=ExperimentalWarning', MAIN], configFile, dataDir });
  }

  get peerId(): string {
    return this.#isReady().peerId;
  }

  /** A full address. */
  get addr(): string {
    const [addr] = this.#isReady().addrs;
    if (addr === undefined) throw this.#daemon.failure('names no address');
    return addr;
  }

  /** The full address of `peer` through this relay. */
  circuitTo(peer: string): string {
    return `${this.addr}/p2p-circuit/p2p/${peer}`;
  }

  reservations(): Promise<ReservationRow[]> {
    return this.#daemon.get('/api/v1/reservations');
  }

  circuits(): Promise<CircuitRow[]> {
    return this.#daemon.get('/api/v1/circuits');
  }

  get<T>(path: string): Promise<T> {
    return this.#daemon.get<T>(path);
  }

  async metrics(): Promise<Scrape> {
    const { url, token } = JSON.parse(await readFile(join(this.#dataDir, 'admin.json'), 'utf8')) as { url: string; token: string };
    const response = await fetch(new URL('/metrics', url), { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    const text = await response.text();
    if (!response.ok) throw new Error(`GET /metrics: ${response.status} ${text}`);
    return new Scrape(text);
  }

  /** Ends it as an operator does. @throws Error unless it ends by itself, with exit code 0 */
  async stop(): Promise<void> {
    try {
      const exit = await this.#daemon.stop();
      if (exit !== 'exit code 0') throw this.#daemon.failure(`ended with ${exit}`);
    } finally {
      await rm(this.#dataDir, { recursive: true, force: true });
    }
  }

  async #remove(): Promise<void> {
    this.#daemon.signal('SIGKILL');
    await this.#daemon.ended;
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  #isReady(): ReadyLine {
    if (this.#ready === undefined) throw this.#daemon.failure('is not ready');
    return this.#ready;
  }
}

function configOf(options: RelayOptions, dataDir: string): object {
  const { limits = {}, exempt = ['127.0.0.0/8'], port = 0, listen = [`/ip4/127.0.0.1/tcp/${port}`], websocket, security, realm, cluster } = options;
  return {
    role: 'relay',
    dataDir,
    network: { listen, allowPrivate: true, ...(websocket && { websocket }), ...(security && { security }) },
    relay: { limits, prefixes: { exempt }, ...(realm && { open: false }) },
    ...(realm && { realm }),
    ...(cluster && { coordination: { backend: 'gossip', secretFile: join(dataDir, 'cluster.secret'), relays: cluster.relays, reservationAddrs: cluster.reservationAddrs ?? 'own' } }),
    admin: { listen: '127.0.0.1:0' },
    // What a circuit still does when a test ends is not what the test is about.
    drain: { timeout: '100ms' },
    log: { level: 'debug', format: 'json' },
  };
}
