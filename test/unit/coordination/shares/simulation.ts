import { Registry } from 'prom-client';
import type { Stream } from '@libp2p/interface';
import type { LinkHandler, LinkKind, Links } from '../../../../src/coordination/links.ts';
import { makeSharedCounters } from '../../../../src/coordination/shares/index.ts';
import type { SharesView } from '../../../../src/coordination/shares/index.ts';
import type { Counters } from '../../../../src/coordination/backend.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import type { SimulatedTime } from './simulated-time.ts';

/** A link whose place another has taken, and what TCP had still to send over one that was lost, are heard of for so long. */
const RETIRE_MS = 1_000;

/** Links of one simulated relay: messages of a pair arrive in order, after a while; of a link that goes down what is on its way is lost, or comes when another is there. */
class SimulatedLinks implements Links {
  readonly name = 'links';
  readonly #world: World;
  readonly #self: string;
  readonly #handlers = new Map<LinkKind, LinkHandler>();
  readonly #listeners = new Set<(relay: string, isMember: boolean) => void>();

  constructor(world: World, self: string) {
    this.#world = world;
    this.#self = self;
  }

  start(): void {}
  stop(): void {}
  want(): void {}

  configured(): never[] {
    return [];
  }

  members(): string[] {
    return this.#world.linkedTo(this.#self);
  }

  isMember(): boolean {
    throw new Error('not simulated');
  }

  onLink(): () => void {
    throw new Error('not simulated');
  }

  openStream(): Promise<Stream> {
    throw new Error('not simulated');
  }

  rttMs(): number {
    return 1;
  }

  skew(): undefined {}

  onChange(listener: (relay: string, isMember: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  answer(kind: LinkKind, handler: LinkHandler): () => void {
    this.#handlers.set(kind, handler);
    return () => this.#handlers.delete(kind);
  }

  changed(relay: string, isMember: boolean): void {
    this.#listeners.forEach((listener) => listener(relay, isMember));
  }

  ask(relay: string, kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const closed = (): RelaydError => new RelaydError('CLOSED', 'no link');
    if (!this.members().includes(relay)) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(closed()), { once: true });
      this.#world.onDown(this.#self, relay, () => reject(closed()));
      this.#world.deliver(this.#self, relay, () => {
        void Promise.resolve()
          .then(() => this.#world.relay(relay)?.links.handle(kind, this.#self, question, signal))
          .then(
            (answer) => this.#world.deliver(relay, this.#self, () => (answer === undefined ? reject(new RelaydError('BAD_REQUEST', 'refused')) : resolve(answer))),
            () => this.#world.deliver(relay, this.#self, () => reject(new RelaydError('BAD_REQUEST', 'refused'))),
          );
      });
    });
  }

  handle(kind: LinkKind, from: string, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> | Uint8Array | undefined {
    return this.#handlers.get(kind)?.(from, question, signal);
  }
}

export interface SimulatedRelay {
  readonly id: string;
  readonly counters: Counters & SharesView;
  readonly links: SimulatedLinks;
  /** As this relay sees it. */
  view: { live: string[]; known: number };
  setView(live: readonly string[], known: number): void;
}

export interface WorldOptions {
  readonly clock: SimulatedTime;
  /** From 0 to 1. */
  readonly random: () => number;
  /** The longest time that a message takes. */
  readonly delayMs: number;
}

/** Relays, the links between them, and who sees whom. */
export class World {
  readonly #o: WorldOptions;
  readonly #relays = new Map<string, SimulatedRelay>();
  /** Who has no link to whom. */
  readonly #down = new Set<string>();
  /** When the last message from one to another arrives. */
  readonly #arrivals = new Map<string, number>();
  /** Of each pair, the number of its link, which changes when one comes and when one goes, and what becomes of what was sent over the ones before. */
  readonly #epochs = new Map<string, { number: number; bringsOld: boolean }>();
  readonly #onDown = new Map<string, Set<() => void>>();
  /** What was sent from one to another while nothing arrives there, in order. */
  readonly #stalled = new Map<string, (() => void)[]>();
  /** What was sent from one to another over links that were lost, in order, and when the last of it comes after all. */
  readonly #old = new Map<string, (() => void)[]>();
  readonly #oldArrivals = new Map<string, number>();
  messages = 0;

  constructor(options: WorldOptions) {
    this.#o = options;
  }

  get relays(): SimulatedRelay[] {
    return [...this.#relays.values()];
  }

  relay(id: string): SimulatedRelay | undefined {
    return this.#relays.get(id);
  }

  async add(id: string): Promise<SimulatedRelay> {
    const links = new SimulatedLinks(this, id);
    const listeners = new Set<() => void>();
    const relay: SimulatedRelay = {
      id,
      links,
      view: { live: [id], known: 1 },
      counters: makeSharedCounters({
        self: id,
        links,
        view: () => relay.view,
        onViewChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        clock: this.#o.clock,
        log: silentLogger,
        registry: new Registry(),
      }),
      setView: (live, known) => {
        relay.view = { live: [...live], known };
        listeners.forEach((listener) => listener());
      },
    };
    const others = this.relays;
    this.#relays.set(id, relay);
    await relay.counters.start();
    for (const other of others) {
      [way(id, other.id), way(other.id, id)].forEach((one) => this.#down.delete(one));
      this.#nextLink(id, other.id);
      other.links.changed(id, true);
      links.changed(other.id, true);
    }
    return relay;
  }

  /** As a process that is killed. */
  async kill(id: string): Promise<void> {
    const relay = this.#relays.get(id);
    this.#relays.delete(id);
    this.relays.forEach((other) => {
      this.#drop(other.id, id);
      this.#drop(id, other.id);
    });
    this.relays.forEach((other) => other.links.changed(id, false));
    await relay?.counters.stop();
  }

  /** Ends the link of two relays, or brings a new one. */
  setLink(a: string, b: string, isUp: boolean): void {
    if (!isUp) {
      this.loseLink(a, b);
      this.loseLink(b, a);
    } else if (this.#down.has(way(a, b)) || this.#down.has(way(b, a))) {
      // Who has not missed the link yet does now.
      this.setLink(a, b, false);
      [way(a, b), way(b, a)].forEach((one) => this.#down.delete(one));
      this.#nextLink(a, b);
      this.#relays.get(a)?.links.changed(b, true);
      this.#relays.get(b)?.links.changed(a, true);
    }
  }

  /** `a` has no link to `b` any more; `b` may not know. */
  loseLink(a: string, b: string): void {
    if (this.#down.has(way(a, b))) return;
    this.#drop(a, b);
    this.#relays.get(a)?.links.changed(b, false);
  }

  /** Another link takes the place of that of two relays, and nobody is told: what is on its way over the old one may come later than what follows, or never. */
  replaceLink(a: string, b: string): void {
    if (this.#down.has(way(a, b)) || this.#down.has(way(b, a))) return;
    const lost = [way(a, b), way(b, a)].flatMap((one) => [...(this.#onDown.get(one) ?? [])]);
    [way(a, b), way(b, a)].forEach((one) => this.#onDown.delete(one));
    this.#nextLink(a, b);
    this.#o.clock.after(() => lost.forEach((listener) => listener()), RETIRE_MS);
  }

  /** Nothing arrives from one relay at another, and nobody notices; what was sent comes when that is over, as TCP has it. */
  setStalled(from: string, to: string, isStalled: boolean): void {
    const waiting = this.#stalled.get(way(from, to));
    if (isStalled === (waiting !== undefined)) return;
    if (isStalled) this.#stalled.set(way(from, to), []);
    else this.#stalled.delete(way(from, to));
    waiting?.forEach((send) => send());
  }

  linkedTo(id: string): string[] {
    return this.#relays.has(id) ? [...this.#relays.keys()].filter((other) => other !== id && !this.#down.has(way(id, other))) : [];
  }

  onDown(a: string, b: string, listener: () => void): void {
    const listeners = this.#onDown.get(way(a, b)) ?? new Set();
    listeners.add(listener);
    this.#onDown.set(way(a, b), listeners);
  }

  deliver(from: string, to: string, arrive: () => void, epoch = this.#epochOf(from, to)): void {
    const { clock, random, delayMs } = this.#o;
    const stalled = this.#stalled.get(way(from, to));
    if (stalled !== undefined) {
      stalled.push(() => this.deliver(from, to, arrive, epoch));
      return;
    }
    this.messages++;
    const at = Math.max(this.#arrivals.get(way(from, to)) ?? 0, clock.now() + random() * delayMs);
    this.#arrivals.set(way(from, to), at);
    clock.after(() => this.#arrived(from, to, arrive, epoch), at - clock.now());
  }

  #arrived(from: string, to: string, arrive: () => void, epoch: number): void {
    const isLinked = this.linkedTo(from).includes(to) && this.linkedTo(to).includes(from);
    if (isLinked && this.#epochOf(from, to) === epoch) {
      arrive();
      return;
    }
    const old = this.#old.get(way(from, to)) ?? [];
    old.push(arrive);
    this.#old.set(way(from, to), old);
    if (isLinked) this.#bringOld(from, to);
  }

  #epochOf(a: string, b: string): number {
    return this.#epochs.get(pair(a, b))?.number ?? 0;
  }

  /** What was sent over the links before comes over the next second, or is lost. */
  #nextLink(a: string, b: string): void {
    this.#epochs.set(pair(a, b), { number: this.#epochOf(a, b) + 1, bringsOld: this.#o.random() < 0.5 });
    [way(a, b), way(b, a)].forEach((one) => this.#arrivals.delete(one));
    this.#bringOld(a, b);
    this.#bringOld(b, a);
  }

  #bringOld(from: string, to: string): void {
    const { clock, random } = this.#o;
    const old = this.#old.get(way(from, to)) ?? [];
    this.#old.delete(way(from, to));
    if (this.#epochs.get(pair(from, to))?.bringsOld !== true) return;
    for (const arrive of old) {
      const at = Math.max(this.#oldArrivals.get(way(from, to)) ?? 0, clock.now() + random() * RETIRE_MS);
      this.#oldArrivals.set(way(from, to), at);
      clock.after(arrive, at - clock.now());
    }
  }

  #drop(a: string, b: string): void {
    this.#down.add(way(a, b));
    const listeners = this.#onDown.get(way(a, b));
    this.#onDown.delete(way(a, b));
    listeners?.forEach((listener) => listener());
  }
}

function way(from: string, to: string): string {
  return `${from}>${to}`;
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
