import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRelayNode } from '../../../src/index.ts';
import type { RelayNode } from '../../../src/index.ts';
import type { PingResult } from '../../../src/lib/contracts.ts';
import { createIdentity } from '../../../src/node/index.ts';
import type { NodeEvents } from '../../../src/node/index.ts';
import { within } from '../../conformance/waiting.ts';
import { echo } from './echo.ts';

export interface ClientOptions {
  /** Full addresses; none: a client that only dials. */
  relays?: readonly string[];
  /** `tunnels` of the config file. */
  tunnels?: object;
  /** `realm` of the config file. */
  realm?: object;
  /** From {@link makeHome}: when its peer id must be known before it starts. */
  home?: Home;
  /** Where it accepts connections; nowhere unless a test says so. */
  listen?: readonly string[];
  announce?: readonly string[];
}

/** A data directory that holds an identity; removed when the client that lives there stops. */
export interface Home {
  readonly dataDir: string;
  readonly peerId: string;
}

export async function makeHome(): Promise<Home> {
  const dataDir = await mkdtemp(join(tmpdir(), 'relayd-interop-'));
  const { peerId } = await createIdentity(join(dataDir, 'identity.key'));
  return { dataDir, peerId: peerId.toString() };
}

const DIAL_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;
const PINGS = 2;

/** Our client as a library, which a relay alone makes reachable. */
export class OurClient {
  readonly node: RelayNode;
  readonly #dataDir: string;

  static async start(options: ClientOptions = {}): Promise<OurClient> {
    const { relays = [], tunnels = {}, realm = {}, listen = [], announce = [] } = options;
    const { dataDir } = options.home ?? (await makeHome());
    const node = await createRelayNode({
      role: 'client',
      dataDir,
      network: { listen, announce, allowPrivate: true },
      client: { relays, desired: Math.max(1, relays.length) },
      tunnels,
      realm,
      admin: { listen: '127.0.0.1:0' },
      log: { level: 'silent' },
    });
    const client = new OurClient(node, dataDir);
    try {
      await node.start();
      return client;
    } catch (error) {
      await rm(dataDir, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(node: RelayNode, dataDir: string) {
    this.node = node;
    this.#dataDir = dataDir;
  }

  get peerId(): string {
    return this.node.peerId;
  }

  /** Waits until it announces a circuit address through the relay with this peer id, and gives the address. */
  async announces(relay: string, timeoutMs: number): Promise<string> {
    const find = (): string | undefined => this.node.addrs.find((addr) => addr.includes(`/p2p/${relay}/p2p-circuit`));
    return await this.#when('addresses:changed', find, timeoutMs, `a circuit address through ${relay}`);
  }

  /** Waits until it holds no reservation. */
  async isUnreachable(timeoutMs: number): Promise<void> {
    const find = (): true | undefined => (this.node.addrs.some((addr) => addr.includes('/p2p-circuit')) ? undefined : true);
    await this.#when('addresses:changed', find, timeoutMs, 'the loss of every circuit address');
  }

  /** The next event of this name. */
  async next(event: keyof NodeEvents, timeoutMs: number): Promise<void> {
    await within(once(this.node, event, { signal: AbortSignal.timeout(timeoutMs) }), timeoutMs, `${event}; candidates: ${this.#candidates()}`);
  }

  /** Dials a peer id or full address, or uses what is open to it, and pings. @throws AssertionError when no answer comes back */
  async ping(target: string): Promise<PingResult> {
    const result = await this.node.view.ping(target, { count: PINGS, fresh: false, signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) });
    assert.equal(result.error, undefined);
    assert.equal(result.rttMs.length, PINGS);
    return result;
  }

  /** Sends `bytes` to the peer's echo service, over what is open to it. @throws AssertionError when other bytes come back */
  async echo(target: string, bytes: number): Promise<void> {
    const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    const { connection } = await this.node.dialler.dial(target, { signal });
    assert.deepEqual(await echo(connection, bytes, signal), { bytes, match: true });
  }

  async stop(): Promise<void> {
    try {
      await within(this.node.stop(), STOP_TIMEOUT_MS, 'the stop of our client');
    } finally {
      await rm(this.#dataDir, { recursive: true, force: true });
    }
  }

  async #when<T>(event: keyof NodeEvents, find: () => T | undefined, timeoutMs: number, what: string): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await once(this.node, event, { signal }).catch(() => {
        throw new Error(`not within ${timeoutMs} ms: ${what}; candidates: ${this.#candidates()}`);
      });
    }
  }

  #candidates(): string {
    return JSON.stringify(this.node.view.relays());
  }
}
