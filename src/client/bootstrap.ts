import type { IdentifyResult, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { HOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { backoffMs } from './backoff.ts';
import { groupByPeer } from './candidates.ts';
import { hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { abortable, withDeadline } from '../lib/deadline.ts';
import { CandidateLoop } from './metrics.ts';
import type { ClientMetrics } from './metrics.ts';
import { nextUnixSeconds } from './work-schedule.ts';

/** Connecting and identify together. */
const CHECK_DEADLINE_MS = 10_000;
/** A peer that offers no HOP today may be given a relay tomorrow. */
const RECHECK_MS = 10 * 60_000;
/** Stands among a peer's protocols once it has been identified. */
const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0';
/** The most checks at a time. */
const PARALLEL = 8;

export interface BootstrapOptions {
  components: ClientComponents;
  clock: Clock;
  random: () => number;
  log: Logger;
  metrics: ClientMetrics;
  /** The peer offers HOP. */
  onRelay: (peer: PeerId, addrs: Multiaddr[]) => void;
  /** It was asked again and no longer does. */
  onNoRelay: (peer: PeerId) => void;
}

interface Entry {
  peer: PeerId;
  addrs: Multiaddr[];
  /** `undefined` until identify has told. */
  supports: boolean | undefined;
  failures: number;
  dueAt: number;
  checking: boolean;
}

/**
 * Finds out which bootstrap peers are relays: connects to each, and takes identify's word. A peer that cannot be
 * reached is tried again with back-off for as long as it is listed.
 */
export class BootstrapPeers {
  readonly #options: BootstrapOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: TimerHandle | undefined;
  #running: AbortController | undefined;
  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => this.#identified(event.detail);

  constructor(options: BootstrapOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = new AbortController();
    this.#options.components.events.addEventListener('peer:identify', this.#onIdentify);
    this.#next();
  }

  stop(): void {
    this.#running?.abort(new RelaydError('CLOSED', 'the node is stopping'));
    this.#running = undefined;
    this.#timer?.cancel();
    this.#options.components.events.removeEventListener('peer:identify', this.#onIdentify);
    this.#entries.clear();
    this.#options.metrics.scheduled('allowed peer source call', undefined);
  }

  /** The peers to know from now on; what is known of those that stay is kept. */
  update(addrs: readonly Multiaddr[]): void {
    const { groups } = groupByPeer(addrs);
    for (const id of this.#entries.keys()) {
      if (!groups.has(id)) this.#entries.delete(id);
    }
    for (const [id, group] of groups) {
      const known = this.#entries.get(id);
      if (known !== undefined) known.addrs = group.addrs;
      else this.#entries.set(id, { ...group, supports: undefined, failures: 0, dueAt: 0, checking: false });
    }
    this.#next();
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Those known to be relays. */
  relays(): { peer: PeerId; addrs: Multiaddr[] }[] {
    return [...this.#entries.values()].filter((entry) => entry.supports === true);
  }

  #next(): void {
    if (this.#running === undefined) {
      return;
    }
    const { clock } = this.#options;
    const free = PARALLEL - this.#checking();
    const due = [...this.#entries.values()].filter((entry) => !entry.checking && entry.dueAt <= clock.now());
    due.slice(0, Math.max(0, free)).forEach((entry) => void this.#check(entry, this.#running!));
    this.#arm();
  }

  #checking(): number {
    return [...this.#entries.values()].filter((entry) => entry.checking).length;
  }

  #arm(): void {
    const { clock, metrics } = this.#options;
    this.#timer?.cancel();
    const waiting = [...this.#entries.values()].filter((entry) => !entry.checking).map((entry) => entry.dueAt);
    const next = Math.min(...waiting, Infinity);
    // What fell due since it was looked at is not forgotten; when all places are taken, the next that ends looks again.
    if (next !== Infinity && this.#checking() < PARALLEL) {
      this.#timer = clock.setTimer(() => this.#next(), Math.max(0, next - clock.now()));
    }
    metrics.scheduled('allowed peer source call', nextUnixSeconds(waiting, clock));
    metrics.loopState(this.#checking() > 0 ? CandidateLoop.Checking : CandidateLoop.Waiting);
  }

  async #check(entry: Entry, running: AbortController): Promise<void> {
    entry.checking = true;
    try {
      const supports = await withDeadline(CHECK_DEADLINE_MS, this.#options.clock, [running.signal], (signal) => this.#ask(entry, signal));
      this.#settle(entry, supports);
    } catch (error) {
      entry.failures += 1;
      entry.dueAt = this.#options.clock.now() + backoffMs(entry.failures, this.#options.random);
      this.#options.log.debug({ peer: entry.peer.toString(), error: errorMessage(error) }, 'a bootstrap peer could not be asked whether it is a relay');
    } finally {
      entry.checking = false;
      if (!running.signal.aborted) this.#next();
    }
  }

  /** Whether the peer offers HOP: from what is stored, or from identify on a connection that is made for it. */
  async #ask(entry: Entry, signal: AbortSignal): Promise<boolean> {
    const { components } = this.#options;
    const identify = this.#nextIdentify(entry.peer);
    try {
      if (hopConnections(components, entry.peer).length === 0) {
        await components.connectionManager.openConnection(entry.addrs, { signal });
      }
      return (await this.#stored(entry.peer)) ?? (await abortable(identify.told, signal));
    } finally {
      identify.cancel();
    }
  }

  /** What an identify that has happened told; `undefined` when none has. */
  async #stored(peer: PeerId): Promise<boolean | undefined> {
    const known = await this.#options.components.peerStore.get(peer).catch(() => undefined);
    return known?.protocols.includes(IDENTIFY_PROTOCOL) === true ? known.protocols.includes(HOP_PROTOCOL) : undefined;
  }

  #nextIdentify(peer: PeerId): { told: Promise<boolean>; cancel: () => void } {
    const { events } = this.#options.components;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onIdentify = (event: CustomEvent<IdentifyResult>): void => {
      if (event.detail.peerId.equals(peer)) resolve(event.detail.protocols.includes(HOP_PROTOCOL));
    };
    events.addEventListener('peer:identify', onIdentify);
    return { told: promise, cancel: () => events.removeEventListener('peer:identify', onIdentify) };
  }

  /** Any identify of a bootstrap peer counts, whoever made the connection. */
  #identified(result: IdentifyResult): void {
    const entry = this.#entries.get(result.peerId.toString());
    if (entry !== undefined && !entry.checking && result.protocols.length > 0) {
      this.#settle(entry, result.protocols.includes(HOP_PROTOCOL));
      this.#arm();
    }
  }

  #settle(entry: Entry, supports: boolean): void {
    const { clock, metrics, onRelay, onNoRelay } = this.#options;
    if (this.#entries.get(entry.peer.toString()) !== entry) return;
    entry.failures = 0;
    // A relay is watched by the supervisor from here on.
    entry.dueAt = supports ? Infinity : clock.now() + RECHECK_MS;
    const before = entry.supports;
    entry.supports = supports;
    if (before !== supports) metrics.candidateChecked(supports);
    if (supports) onRelay(entry.peer, entry.addrs);
    else if (before === true) onNoRelay(entry.peer);
  }
}
