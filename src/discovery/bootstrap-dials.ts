import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { DiscoveryHost } from './host.ts';
import { Loop } from './loop.ts';
import type { PartOptions } from './parts.ts';

/** So many bootstrap peers keep a node in the DHT; more only cost them connections. */
const KEEP = 3;
/** Dialled at a time. */
const PARALLEL = 4;
/** The most that are dialled of a long list. */
const MAX_PEERS = 64;
const DIAL_DEADLINE_MS = 10_000;
/** A connection that went is missed at once by an event; this is for what no event tells. */
const LOOK_MS = 60_000;

export interface BootstrapDialsOptions extends PartOptions {
  readonly host: DiscoveryHost;
}

interface Peer {
  readonly id: PeerId;
  readonly addrs: Multiaddr[];
}

/** Keeps this node connected to some of its bootstrap peers, through which it comes into the DHT, and again after all were lost. */
export class BootstrapDials {
  readonly #o: BootstrapDialsOptions;
  readonly #loop: Loop;
  #peers: readonly Peer[] = [];
  #isRunning = false;

  constructor(options: BootstrapDialsOptions) {
    const { clock, random, log } = options;
    this.#o = options;
    this.#loop = new Loop({ name: 'bootstrap', work: (signal) => this.#connect(signal), intervalMs: () => LOOK_MS, clock, random, log });
  }

  start(): void {
    this.#o.host.addEventListener('peer:disconnect', this.#onDisconnect);
    this.#isRunning = true;
    this.#loop.start();
  }

  stop(): void {
    this.#o.host.removeEventListener('peer:disconnect', this.#onDisconnect);
    this.#isRunning = false;
    this.#loop.stop();
  }

  /** @param addrs full addresses; what is not one has been refused where it was read */
  update(addrs: readonly string[]): void {
    const before = this.#peers.flatMap((peer) => peer.addrs).join();
    this.#peers = byPeer(addrs).slice(0, MAX_PEERS);
    if (this.#isRunning && before !== this.#peers.flatMap((peer) => peer.addrs).join()) {
      // Not only hurried: a list that was looked up comes right behind the start.
      this.#loop.stop();
      this.#loop.start();
    }
  }

  /** Whether `connection` is what keeps this node in the DHT. */
  carries({ remotePeer }: Pick<Connection, 'remotePeer'>): boolean {
    return this.#peers.some(({ id }) => id.equals(remotePeer));
  }

  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    if (this.carries({ remotePeer: detail })) this.#loop.hurry();
  };

  /** @throws RelaydError NO_ADDRESS while fewer than wanted are connected, so that it is tried again sooner */
  async #connect(signal: AbortSignal): Promise<void> {
    const wanted = Math.min(KEEP, this.#peers.length);
    const missing = this.#peers.filter((peer) => !this.#isConnected(peer)).sort(() => this.#o.random() - 0.5);
    for (let begun = 0; begun < missing.length && this.#connected() < wanted && !signal.aborted; begun += PARALLEL) {
      await Promise.all(missing.slice(begun, begun + PARALLEL).map((peer) => this.#dial(peer, signal)));
    }
    this.#o.metrics.bootstrapConnected(this.#connected());
    if (this.#connected() < wanted) {
      throw new RelaydError('NO_ADDRESS', `connected to ${this.#connected()} of ${this.#peers.length} bootstrap peers`);
    }
  }

  async #dial({ id, addrs }: Peer, stop: AbortSignal): Promise<void> {
    const { host, clock, log } = this.#o;
    try {
      await withDeadline(DIAL_DEADLINE_MS, clock, [stop], (signal) => host.dial(addrs, { signal }));
    } catch (error) {
      log.debug({ peer: id.toString(), error: errorMessage(error) }, 'a bootstrap peer could not be reached');
    }
  }

  #connected(): number {
    return this.#peers.filter((peer) => this.#isConnected(peer)).length;
  }

  #isConnected({ id }: Peer): boolean {
    return this.#o.host.getConnections(id).length > 0 || id.equals(this.#o.host.peerId);
  }
}

function byPeer(addrs: readonly string[]): Peer[] {
  const peers = new Map<string, Peer>();
  for (const addr of addrs.map((text) => multiaddr(text))) {
    const id = addr.getComponents().at(-1)?.value;
    if (id !== undefined) {
      const peer = peers.get(id) ?? { id: peerIdFromString(id), addrs: [] };
      peer.addrs.push(addr);
      peers.set(id, peer);
    }
  }
  return [...peers.values()];
}
