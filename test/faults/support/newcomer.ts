import { peerIdFromString } from '@libp2p/peer-id';
import { Status } from '../../../src/lib/circuit/protocol.ts';
import { until } from '../../support/waiting.ts';
import { WirePeer } from '../../support/wire-peer.ts';
import type { Clients } from './clients.ts';
import type { Relay } from './relay.ts';

/** It tries this often. */
const KNOCK_MS = 500;
/** From SIGTERM until a relay says that it drains, or has ended: moments, on a machine that does not stand still. */
const DRAINING_MS = 30_000;

/** Tries to reserve, and to open circuits to a client, while the relay drains. It is connected already: the port is no matter. */
export class Newcomer {
  readonly #peer: WirePeer;
  readonly #relay: Relay;
  readonly #target: string;
  #timer: NodeJS.Timeout | undefined;
  #admitted = 0;
  #refused = 0;

  static async beside(relay: Relay, clients: Clients): Promise<Newcomer> {
    const peer = await WirePeer.start();
    await peer.connect(relay.addr);
    const target = (await clients.snapshot()).find(({ held }) => held.includes(relay.peerId));
    return new Newcomer(peer, relay, target?.peerId ?? '');
  }

  private constructor(peer: WirePeer, relay: Relay, target: string) {
    this.#peer = peer;
    this.#relay = relay;
    this.#target = target;
  }

  /** From when the relay says that it drains: who asks before that is let in, as ever. */
  async begin(): Promise<void> {
    await until(async () => (await this.#state()) !== 'ready', 'the relay to drain', DRAINING_MS);
    this.#timer = setInterval(() => void this.#knock(), KNOCK_MS);
    await this.#knock();
  }

  /** @returns how often it was let in, and how often it was told no */
  async stop(): Promise<{ admitted: number; refused: number }> {
    clearInterval(this.#timer);
    await this.#peer.stop();
    return { admitted: this.#admitted, refused: this.#refused };
  }

  async #state(): Promise<string> {
    // One that does not answer has closed.
    const answer = await this.#relay.get('/api/v1/status').catch(() => undefined);
    return answer === undefined ? 'closed' : (JSON.parse(answer.text) as { state: string }).state;
  }

  async #knock(): Promise<void> {
    try {
      this.#count(await this.#peer.reserve());
      this.#count(await this.#peer.connectTo(peerIdFromString(this.#target)));
    } catch {
      // It has closed.
    }
  }

  #count({ status }: { status?: number }): void {
    if (status === Status.OK) this.#admitted += 1;
    else this.#refused += 1;
  }
}
