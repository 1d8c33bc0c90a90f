import { RawPeer } from './peer.ts';
import type { PeerOptions } from './peer.ts';
import { startClient, startTarget } from './targets.ts';
import type { ClientOptions, ClientTarget, RelayOptions, RelayTarget, TargetKind } from './targets.ts';

/**
 * What a case is played with: makes relays and clients of the kind under test, and peers that speak by hand. It owns
 * all that it made and stops it when the case is over.
 */
export class Scene {
  readonly kind: TargetKind;
  readonly #made: { stop(): Promise<void> }[] = [];
  #over = false;

  constructor(kind: TargetKind) {
    this.kind = kind;
  }

  relay(options?: RelayOptions): Promise<RelayTarget> {
    return this.own(startTarget(this.kind, options));
  }

  client(options: ClientOptions): Promise<ClientTarget> {
    return this.own(startClient(this.kind, options));
  }

  /** A relay of js-libp2p, for a part in which it is not under test. */
  otherRelay(options?: RelayOptions): Promise<RelayTarget> {
    return this.own(startTarget('stock', options));
  }

  /** A peer that is not connected. */
  peer(options?: PeerOptions): Promise<RawPeer> {
    return this.own(RawPeer.start(options));
  }

  /** A peer that is connected to `relay`. */
  async peerAt(relay: RelayTarget, options?: PeerOptions): Promise<RawPeer> {
    const peer = await this.peer(options);
    await peer.connect(relay.addr);
    return peer;
  }

  /** A peer that is connected to `relay` and holds a reservation there. */
  async reservedAt(relay: RelayTarget, options?: PeerOptions): Promise<RawPeer> {
    const peer = await this.peerAt(relay, options);
    await peer.reserved();
    return peer;
  }

  async own<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const made = await starting;
    if (this.#over) {
      await made.stop();
      throw new Error('the case was over before this part of it had started');
    }
    this.#made.push(made);
    return made;
  }

  /** Ends everything; a part that cannot be ended is reported after the others. */
  async end(): Promise<void> {
    this.#over = true;
    const outcomes = await Promise.allSettled(this.#made.splice(0).map((part) => part.stop()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
