import { peerIdFromString } from '@libp2p/peer-id';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { WirePeer } from '../../support/wire-peer.ts';
import type { Clients } from './clients.ts';
import type { Relay } from './relay.ts';

/** It tries this often. */
const KNOCK_MS = 500;

/** Tries to reserve, and to open circuits to a client, while the relay drains. It is connected already: the port is no matter. */
export class Newcomer {
  readonly #peer: WirePeer;
  readonly #timer: NodeJS.Timeout;
  #admitted = 0;

  static async beside(relay: Relay, clients: Clients): Promise<Newcomer> {
    const peer = await WirePeer.start();
    await peer.connect(relay.addr);
    const target = (await clients.snapshot()).find(({ held }) => held.includes(relay.peerId));
    return new Newcomer(peer, target?.peerId ?? '');
  }

  private constructor(peer: WirePeer, target: string) {
    this.#peer = peer;
    this.#timer = setInterval(() => void this.#knock(target), KNOCK_MS);
  }

  async #knock(target: string): Promise<void> {
    try {
      const answers = [await this.#peer.reserve(), await this.#peer.connectTo(peerIdFromString(target))];
      this.#admitted += answers.filter(({ status }) => status === Status.OK).length;
    } catch {
      // It has closed.
    }
  }

  /** @returns how often it was let in */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    await this.#peer.stop();
    return this.#admitted;
  }
}
