import type { TestContext } from 'node:test';
import { OurClient } from './our-client.ts';
import type { ClientOptions } from './our-client.ts';
import { startPeer } from './peers.ts';
import type { PeerKind, PeerOptions } from './peers.ts';
import type { PeerProcess } from './peer-process.ts';
import { RelayDaemon } from './relay-daemon.ts';
import type { RelayOptions } from './relay-daemon.ts';

interface Stoppable {
  stop(): Promise<void>;
}

/** What one test starts; it all ends with the test, peers before relays, and a part that does not end well fails the test. */
export class Scene {
  readonly #made: Stoppable[] = [];
  #over = false;

  constructor(context: TestContext) {
    context.after(() => this.#end());
  }

  relay(options?: RelayOptions): Promise<RelayDaemon> {
    return this.own(RelayDaemon.start(options));
  }

  peer(kind: PeerKind, options?: PeerOptions): Promise<PeerProcess> {
    return this.own(startPeer(kind, options));
  }

  client(options?: ClientOptions): Promise<OurClient> {
    return this.own(OurClient.start(options));
  }

  async own<T extends Stoppable>(starting: Promise<T>): Promise<T> {
    const made = await starting;
    if (this.#over) {
      await made.stop();
      throw new Error('the test was over before a part of it had started');
    }
    this.#made.push(made);
    return made;
  }

  async #end(): Promise<void> {
    this.#over = true;
    const failures: unknown[] = [];
    for (const part of this.#made.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
