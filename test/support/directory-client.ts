import { systemClock } from '../../src/lib/clock.ts';
import { DirectoryEndpoint } from '../../src/lib/directory/endpoint.ts';
import { openStatement } from '../../src/lib/directory/statement.ts';
import type { RelayStatement } from '../../src/lib/directory/statement.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { PATIENCE_MS, within } from './waiting.ts';
import type { WirePeer } from './wire-peer.ts';

/** A statement that the relay brought. */
export interface Told {
  readonly statement: RelayStatement;
  /** Lets the relay go. */
  ready(): void;
}

/** The client's side of the directory protocol, by hand: it asks when a test says so, and takes what it is brought without a word. */
export class DirectoryClient {
  readonly peer: WirePeer;
  readonly #endpoint: DirectoryEndpoint;
  readonly #told: Told[] = [];
  readonly #wanted: ((told: Told) => void)[] = [];

  /** @param peer connected to the relay */
  static async start(peer: WirePeer): Promise<DirectoryClient> {
    const client = new DirectoryClient(peer);
    await client.#endpoint.start();
    return client;
  }

  private constructor(peer: WirePeer) {
    this.peer = peer;
    this.#endpoint = new DirectoryEndpoint({ host: peer.node, clock: systemClock, log: silentLogger });
    this.#endpoint.receive((_connection, statement, ready) => void this.#onTold(statement, ready));
  }

  async get(): Promise<RelayStatement> {
    return this.#open(await this.#endpoint.fetch(this.peer.connection, AbortSignal.timeout(PATIENCE_MS)));
  }

  /** The next statement that was brought and that no one has taken yet. */
  nextTold(): Promise<Told> {
    const next = this.#told.shift();
    return next !== undefined ? Promise.resolve(next) : within(new Promise((resolve) => this.#wanted.push(resolve)), 'a statement');
  }

  async #onTold(envelope: Uint8Array, ready: () => void): Promise<void> {
    const told = { statement: await this.#open(envelope), ready };
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) wanted(told);
    else this.#told.push(told);
  }

  #open(envelope: Uint8Array): Promise<RelayStatement> {
    return openStatement(envelope, this.peer.connection.remotePeer);
  }
}
