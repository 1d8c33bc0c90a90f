import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createIdentity } from '../../../src/node/index.ts';
import { Fleet } from '../../support/fleet.ts';
import { Clients } from './clients.ts';
import type { ClientsSetup } from './clients.ts';
import { Relay } from './relay.ts';
import type { RelaySetup } from './relay.ts';

/** How much of a row is run. */
export interface Amount {
  readonly runs: number;
  readonly clients: number;
  /** For rows that last as long as one lets them. */
  readonly minutes: number;
  readonly short: boolean;
  /** The faults of a row that has several; all where it is not set. */
  readonly only?: readonly string[];
}

/** Everything that a row starts, and ends with it whatever happens. */
export class Scene {
  readonly amount: Amount;
  readonly fleet: Fleet;
  /** What a reader of the figures should know: lines under the table. */
  readonly notes: string[] = [];
  readonly #undo: (() => Promise<unknown> | void)[] = [];
  /** Of a row that was interrupted. */
  readonly #removeFiles = (): void => rmSync(dirname(this.fleet.dataDir('any')), { recursive: true, force: true });

  static async create(amount: Amount): Promise<Scene> {
    return new Scene(amount, await Fleet.create());
  }

  private constructor(amount: Amount, fleet: Fleet) {
    this.amount = amount;
    this.fleet = fleet;
    process.once('exit', this.#removeFiles);
  }

  async relay(setup: RelaySetup): Promise<Relay> {
    const relay = await Relay.start(this.fleet, setup);
    this.defer(() => relay.stop());
    return relay;
  }

  /** Peer ids that are known before the nodes start, so that configs can name them; for `dir` of {@link Scene.clients}. */
  async identities(count: number): Promise<{ dir: string; peerIds: string[] }> {
    const dir = this.fleet.dataDir(`clients-${this.#undo.length}`);
    const made = await Promise.all(Array.from({ length: count }, (_, i) => createIdentity(`${dir}/${i}/identity.key`)));
    return { dir, peerIds: made.map(({ peerId }) => peerId.toString()) };
  }

  async clients(setup: Omit<ClientsSetup, 'dir'> & { dir?: string }): Promise<Clients> {
    const clients = await Clients.start({ ...setup, dir: setup.dir ?? this.fleet.dataDir(`clients-${this.#undo.length}`) });
    this.defer(() => clients.stop());
    return clients;
  }

  /** Done at the end, the last first. */
  defer(undo: () => Promise<unknown> | void): void {
    this.#undo.push(undo);
  }

  note(text: string): void {
    this.notes.push(text);
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.toReversed()) {
      await Promise.resolve(undo()).catch((error: unknown) => this.note(`clean-up: ${String(error)}`));
    }
    await this.fleet.stopAll();
    process.off('exit', this.#removeFiles);
  }
}
