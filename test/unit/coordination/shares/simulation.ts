import { Registry } from 'prom-client';
import type { Stream } from '@libp2p/interface';
import type { LinkHandler, LinkKind, Links } from '../../../../src/coordination/links.ts';
import { makeSharedCounters } from '../../../../src/coordination/shares/index.ts';
import type { SharesView } from '../../../../src/coordination/shares/index.ts';
import type { Counters } from '../../../../src/coordination/backend.ts';
import type { Clock, TimerHandle } from '../../../../src/lib/clock.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';

/** Time that passes only when a test says so, with everything that waits for promises done between one timer and the next. */
export class SimulatedTime implements Clock {
  #now = 0;
  #number = 0;
  readonly #timers = new Map<number, { at: number; fn: () => void }>();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  setTimer(fn: () => void, delayMs: number): TimerHandle {
    const number = ++this.#number;
    if (delayMs !== Infinity) this.#timers.set(number, { at: this.#now + Math.max(0, delayMs), fn });
    return { cancel: () => void this.#timers.delete(number) };
  }

  setCoarseTimer(fn: () => void, delayMs: number): TimerHandle {
    return this.setTimer(fn, delayMs);
  }

  async run(ms: number): Promise<void> {
    const end = this.#now + ms;
    await quiet();
    for (;;) {
      const due = this.#next(end);
      if (due === undefined) break;
      this.#timers.delete(due.number);
      this.#now = due.at;
      due.fn();
      await quiet();
    }
    this.#now = end;
  }

  #next(end: number): { number: number; at: number; fn: () => void } | undefined {
    let first: { number: number; at: number; fn: () => void } | undefined;
    for (const [number, timer] of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = { number, ...timer };
    }
    return first;
  }
}

/** All promises that can settle have. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Links of one simulated relay: messages of a pair arrive in order, after a while; a link that goes down takes with it what is on its way. */
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

  openStream(): Promise<Stream> {
    throw new Error('not simulated');
  }

  rttMs(): number {
    return 1;
  }

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
  /** Pairs whose link is down. */
  readonly #down = new Set<string>();
  /** When the last message from one to another arrives. */
  readonly #arrivals = new Map<string, number>();
  /** Of each pair, how often its link went down: what was sent before does not arrive. */
  readonly #epochs = new Map<string, number>();
  readonly #onDown = new Map<string, Set<() => void>>();
  /** What was sent between pairs that are cut silently, in order. */
  readonly #stalled = new Map<string, (() => void)[]>();
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
      this.#down.delete(pair(id, other.id));
      other.links.changed(id, true);
      links.changed(other.id, true);
    }
    return relay;
  }

  /** As a process that is killed. */
  async kill(id: string): Promise<void> {
    const relay = this.#relays.get(id);
    this.#relays.delete(id);
    this.relays.forEach((other) => this.#break(id, other.id));
    this.relays.forEach((other) => other.links.changed(id, false));
    await relay?.counters.stop();
  }

  /** Ends the link of two relays, or brings it back. */
  setLink(a: string, b: string, isUp: boolean): void {
    if (this.#down.has(pair(a, b)) !== isUp) return;
    if (isUp) this.#down.delete(pair(a, b));
    else this.#break(a, b);
    this.#relays.get(a)?.links.changed(b, isUp);
    this.#relays.get(b)?.links.changed(a, isUp);
  }

  /** Nothing arrives between two relays, and nobody notices; what was sent comes when that is over, as TCP has it. */
  setStalled(a: string, b: string, isStalled: boolean): void {
    const waiting = this.#stalled.get(pair(a, b));
    if (isStalled === (waiting !== undefined)) return;
    if (isStalled) this.#stalled.set(pair(a, b), []);
    else this.#stalled.delete(pair(a, b));
    waiting?.forEach((send) => send());
  }

  linkedTo(id: string): string[] {
    return this.#relays.has(id) ? [...this.#relays.keys()].filter((other) => other !== id && !this.#down.has(pair(id, other))) : [];
  }

  onDown(a: string, b: string, listener: () => void): void {
    const listeners = this.#onDown.get(pair(a, b)) ?? new Set();
    listeners.add(listener);
    this.#onDown.set(pair(a, b), listeners);
  }

  deliver(from: string, to: string, arrive: () => void): void {
    const { clock, random, delayMs } = this.#o;
    const stalled = this.#stalled.get(pair(from, to));
    if (stalled !== undefined) {
      stalled.push(() => this.deliver(from, to, arrive));
      return;
    }
    this.messages++;
    const epoch = this.#epochs.get(pair(from, to));
    const at = Math.max(this.#arrivals.get(`${from}>${to}`) ?? 0, clock.now() + random() * delayMs);
    this.#arrivals.set(`${from}>${to}`, at);
    clock.setTimer(() => {
      if (this.#epochs.get(pair(from, to)) === epoch && this.linkedTo(from).includes(to)) arrive();
    }, at - clock.now());
  }

  #break(a: string, b: string): void {
    this.#down.add(pair(a, b));
    this.#stalled.delete(pair(a, b));
    this.#epochs.set(pair(a, b), (this.#epochs.get(pair(a, b)) ?? 0) + 1);
    this.#onDown.get(pair(a, b))?.forEach((listener) => listener());
    this.#onDown.delete(pair(a, b));
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
