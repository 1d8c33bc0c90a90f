import type { IdentifyResult, PeerId } from '@libp2p/interface';
import { HOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import type { TimerHandle } from '../lib/clock.ts';
import type { FoundPeer, RelaySource } from '../lib/contracts.ts';
import { abortable, withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { backoffMs } from './backoff.ts';
import { hopConnections } from './components.ts';
import type { ClientContext } from './context.ts';
import { FoundPeers, addrsOf, sourceOf } from './found-peers.ts';
import type { FoundEntry } from './found-peers.ts';
import { CandidateLoop } from './metrics.ts';
import { nextUnixSeconds } from './work-schedule.ts';

/** Connecting and identify together. */
const CHECK_DEADLINE_MS = 10_000;
/** A peer that offers no HOP today may be given a relay tomorrow. */
const RECHECK_MS = 10 * 60_000;
/** A peer that somebody else named is no more worth than that when it cannot be reached. */
const FOUND_CAP_MS = RECHECK_MS;
/** Stands among a peer's protocols once it has been identified. */
const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0';
/** The most checks at a time, while relays are wanted, and while there are enough. */
const PARALLEL = 8;
const PARALLEL_AT_LEISURE = 2;

interface RelayCheckOptions extends Pick<ClientContext, 'components' | 'clock' | 'random' | 'log' | 'metrics' | 'access' | 'candidates'> {
  /** More relays are wanted than are known. */
  isWanted: () => boolean;
  /** A peer turned out to be a relay, or to be none any more. */
  onChange: () => void;
}

/**
 * Finds out which peers are relays, whoever named them: connects to each, and takes identify's word. A peer that cannot be
 * reached is tried again with back-off for as long as somebody names it. Sources take turns, and within one those that were
 * never asked come first.
 */
export class RelayCheck {
  readonly #options: RelayCheckOptions;
  readonly #found: FoundPeers;
  #timer: TimerHandle | undefined;
  #running: AbortController | undefined;
  #checking = 0;
  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => this.#identified(event.detail);

  constructor(options: RelayCheckOptions) {
    this.#options = options;
    this.#found = new FoundPeers(options.components.peerId, options.random);
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
    this.#checking = 0;
    this.#options.components.events.removeEventListener('peer:identify', this.#onIdentify);
    this.#found.clear();
    this.#options.metrics.scheduled('allowed peer source call', undefined);
  }

  /** The peers that `source` names from now on; what is known of those that stay is kept. */
  update(source: RelaySource, peers: readonly FoundPeer[]): void {
    this.#found.replace(source, peers);
    this.#options.metrics.peersFound(this.#found.size);
    this.#next();
  }

  /** Those known to be relays. */
  relays(): FoundEntry[] {
    return this.#found.values().filter((entry) => entry.supports === true);
  }

  #next(): void {
    if (this.#running === undefined) {
      return;
    }
    const now = this.#options.clock.now();
    const due = this.#found.values().filter((entry) => !entry.checking && entry.dueAt <= now);
    const free = this.#places() - this.#checking;
    inTurns(due).slice(0, Math.max(0, free)).forEach((entry) => void this.#check(entry, this.#running!));
    this.#arm();
  }

  #places(): number {
    return this.#options.isWanted() ? PARALLEL : PARALLEL_AT_LEISURE;
  }

  #arm(): void {
    const { clock, metrics } = this.#options;
    this.#timer?.cancel();
    const waiting = this.#found.values().filter((entry) => !entry.checking).map((entry) => entry.dueAt);
    const next = waiting.reduce((first, dueAt) => Math.min(first, dueAt), Infinity);
    // What fell due since it was looked at is not forgotten; when all places are taken, the next that ends looks again.
    if (next !== Infinity && this.#checking < this.#places()) {
      this.#timer = clock.setTimer(() => this.#next(), Math.max(0, next - clock.now()));
    }
    metrics.scheduled('allowed peer source call', nextUnixSeconds(waiting, clock));
    metrics.loopState(this.#checking > 0 ? CandidateLoop.Checking : CandidateLoop.Waiting);
  }

  async #check(entry: FoundEntry, running: AbortController): Promise<void> {
    entry.checking = true;
    this.#checking += 1;
    try {
      const supports = await withDeadline(CHECK_DEADLINE_MS, this.#options.clock, [running.signal], (signal) => this.#ask(entry, signal));
      this.#settle(entry, supports);
    } catch (error) {
      entry.failures += 1;
      entry.dueAt = this.#options.clock.now() + backoffMs(entry.failures, this.#options.random, 0, sourceOf(entry) === 'bootstrap' ? undefined : FOUND_CAP_MS);
      this.#options.log.debug({ peer: entry.peer.toString(), error: errorMessage(error) }, 'a peer could not be asked whether it is a relay');
    } finally {
      entry.checking = false;
      if (!running.signal.aborted) {
        this.#checking -= 1;
        this.#leave(entry, running.signal);
        this.#next();
      }
    }
  }

  /** Bootstrap peers are for staying connected to; of the others, candidates are left by the supervisor. */
  #leave(entry: FoundEntry, signal: AbortSignal): void {
    const { access, candidates } = this.#options;
    if (sourceOf(entry) !== 'bootstrap' && candidates.get(entry.peer.toString()) === undefined) void access.giveBack(entry.peer, signal);
  }

  /** Whether the peer offers HOP: from what is stored, or from identify on a connection that is made for it. */
  async #ask(entry: FoundEntry, signal: AbortSignal): Promise<boolean> {
    const { access, components } = this.#options;
    const identify = this.#nextIdentify(entry.peer);
    try {
      if (hopConnections(components, entry.peer).length === 0) {
        await access.connect({ peer: entry.peer, addrs: addrsOf(entry) }, signal);
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

  /** Any identify of a found peer counts, whoever made the connection. */
  #identified(result: IdentifyResult): void {
    const entry = this.#found.get(result.peerId.toString());
    if (entry !== undefined && !entry.checking && result.protocols.length > 0) {
      this.#settle(entry, result.protocols.includes(HOP_PROTOCOL));
      this.#arm();
    }
  }

  #settle(entry: FoundEntry, supports: boolean): void {
    const { clock, metrics, onChange } = this.#options;
    if (this.#found.get(entry.peer.toString()) !== entry) return;
    entry.failures = 0;
    // A relay is watched by the supervisor from here on.
    entry.dueAt = supports ? Infinity : clock.now() + RECHECK_MS;
    const before = entry.supports;
    entry.supports = supports;
    if (before === supports) return;
    metrics.candidateChecked(supports);
    if (supports || before === true) onChange();
  }
}

/** One of each source, then the next of each; within a source those never asked first, then those that waited longest. */
function inTurns(due: readonly FoundEntry[]): FoundEntry[] {
  const bySource = new Map<RelaySource, FoundEntry[]>();
  for (const entry of due.toSorted((a, b) => a.dueAt - b.dueAt)) {
    const source = sourceOf(entry);
    const queue = bySource.get(source);
    if (queue === undefined) bySource.set(source, [entry]);
    else queue.push(entry);
  }
  const queues = [...bySource.values()];
  const longest = queues.reduce((most, queue) => Math.max(most, queue.length), 0);
  return Array.from({ length: longest }, (_, i) => queues.map((queue) => queue[i])).flat().filter((entry) => entry !== undefined);
}
