import { Owners } from '../../../../src/coordination/shares/owners.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { usableLimit } from '../../../../src/coordination/bound.ts';
import { SimulatedTime } from './simulated-time.ts';
import { World } from './simulation.ts';
import type { SimulatedRelay } from './simulation.ts';

export interface ScenarioOptions {
  readonly random: () => number;
  /** The longest time that a message takes. */
  readonly delayMs: number;
  /** Limits of the keys that users take places of. */
  readonly limits: readonly number[];
}

/** A relay that is not heard of is gone after this time, at the least and at the most. */
const LAPSE_MS = [4_000, 5_000] as const;
/** A link over which nothing comes is given up after this time. */
const SILENT_MS = 3_000;
/** What a relay sends is lost for so long before it is cut off. */
const MUTE_MS = 250;
/** Timers of Node are too early by less than this. */
const EARLY_MS = 1;
/** One that comes is seen by all within this time, at most, and less the longer messages take: relays wait 100 ms for who does not see them to say that it does now. */
const SEEN_MS = 80;
const AGREED_MS = 98;

/** So often a relay says again what it holds, as it does from time to time. */
const RESTATED = 0.01;

type IsCut = (a: string, b: string) => boolean;

interface Key {
  readonly key: string;
  readonly limit: number;
  /** What each relay may have beyond the limit, because it was cut off from the owner. */
  readonly beyond: Map<string, number>;
}

/** Users who take and give back places over simulated relays, and a network that fails. Notes every place that should not have been given out. */
export class Scenario {
  readonly clock: SimulatedTime;
  readonly world: World;
  readonly random: () => number;
  readonly keys: readonly Key[];
  /** What each relay's users hold, by relay and key. */
  readonly #held = new Map<string, Map<string, number>>();
  readonly #known = new Map<string, Set<string>>();
  readonly #serving = new Set<SimulatedRelay>();
  readonly excesses: string[] = [];
  readonly #seenMs: number;
  #joined = 0;
  #cuts = 0;
  admitted = 0;
  refused = 0;

  constructor({ random, delayMs, limits }: ScenarioOptions) {
    this.random = random;
    this.#seenMs = Math.min(SEEN_MS, AGREED_MS - delayMs);
    this.clock = new SimulatedTime(() => random() * EARLY_MS);
    this.world = new World({ clock: this.clock, random, delayMs });
    this.keys = limits.map((limit, i) => ({ key: `key ${i}`, limit, beyond: new Map<string, number>() }));
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  // The network.

  async join(): Promise<SimulatedRelay> {
    const relay = await this.world.add(`relay ${++this.#joined}`);
    this.#held.set(relay.id, new Map());
    this.#known.set(relay.id, new Set([relay.id]));
    this.world.relays.forEach((other) => this.#meet(relay, other));
    // It serves nobody before it has found the others.
    this.clock.setTimer(() => this.#serving.add(relay), SEEN_MS + 1);
    return relay;
  }

  /** Starts so many that all see each other. */
  async begin(relays: number): Promise<void> {
    for (let i = 0; i < relays; i++) await this.join();
    await this.clock.run(2_000);
  }

  async kill(relay: SimulatedRelay): Promise<void> {
    this.#beforeCut((a, b) => a === relay.id || b === relay.id);
    this.#held.set(relay.id, new Map());
    await this.world.kill(relay.id);
    this.world.relays.forEach((other) => this.#lapse(other, relay.id));
  }

  /** No link between relays that `isCut`; they lapse for each other. Where nothing is reset, each side gives a link up only after a while. */
  cut(isCut: IsCut, isSilent: boolean): void {
    const number = ++this.#cuts;
    this.#beforeCut(isCut);
    this.#silence(isCut, number);
    if (!isSilent) this.#ways(isCut).forEach(([a, b]) => this.world.setLink(a.id, b.id, false));
  }

  /** What `relay` sends is lost for a moment, while it still hears the others; then it is cut off in silence. */
  mute(relay: SimulatedRelay): void {
    const number = ++this.#cuts;
    const isCut: IsCut = (a, b) => a === relay.id || b === relay.id;
    this.#beforeCut(isCut);
    this.#ways(isCut).forEach(([a, b]) => a === relay && this.world.setStalled(a.id, b.id, true));
    this.clock.setTimer(() => this.#cuts === number && this.#silence(isCut, number), MUTE_MS);
  }

  #silence(isCut: IsCut, number: number): void {
    for (const [a, b] of this.#ways(isCut)) {
      this.world.setStalled(a.id, b.id, true);
      this.#lapse(a, b.id);
      this.clock.setTimer(() => {
        if (this.#cuts !== number) return;
        this.#beforeCut(isCut);
        this.world.loseLink(a.id, b.id);
      }, this.between(SILENT_MS - MUTE_MS, SILENT_MS));
    }
  }

  /** The link of two relays is lost for a moment. */
  flap(a: SimulatedRelay, b: SimulatedRelay): void {
    this.#beforeCut((x, y) => (x === a.id && y === b.id) || (x === b.id && y === a.id));
    this.world.setLink(a.id, b.id, false);
    this.clock.setTimer(() => this.world.setLink(a.id, b.id, true), this.between(1, 1_500));
  }

  /** Another link takes the place of the one that two relays have. */
  replace(a: SimulatedRelay, b: SimulatedRelay): void {
    this.#beforeCut((x, y) => (x === a.id && y === b.id) || (x === b.id && y === a.id));
    this.world.replaceLink(a.id, b.id);
  }

  /** What was under way comes over the old link, if it was not given up yet, or after another one is there. */
  heal(): void {
    this.#cuts++;
    for (const [a, b] of this.#pairs()) {
      if (this.random() < 0.3) this.replace(a, b);
      this.world.setStalled(a.id, b.id, false);
      this.world.setStalled(b.id, a.id, false);
      this.world.setLink(a.id, b.id, true);
      this.#meet(a, b);
    }
  }

  #ways(isCut: IsCut): [SimulatedRelay, SimulatedRelay][] {
    return this.#pairs().flatMap(([a, b]): [SimulatedRelay, SimulatedRelay][] => (isCut(a.id, b.id) ? [[a, b], [b, a]] : []));
  }

  #pairs(): [SimulatedRelay, SimulatedRelay][] {
    const { relays } = this.world;
    return relays.flatMap((a, i) => relays.slice(i + 1).map((b): [SimulatedRelay, SimulatedRelay] => [a, b]));
  }

  #meet(a: SimulatedRelay, b: SimulatedRelay): void {
    for (const [one, other] of [[a, b], [b, a]] as const) {
      this.clock.setTimer(() => {
        if (this.world.linkedTo(one.id).includes(other.id)) this.#see(one, other.id);
      }, this.between(0, this.#seenMs));
    }
  }

  #see(relay: SimulatedRelay, other: string): void {
    this.#known.get(relay.id)?.add(other);
    this.#setView(relay, [...new Set([...relay.view.live, other])]);
  }

  #lapse(relay: SimulatedRelay, other: string): void {
    this.clock.setTimer(() => {
      if (!this.world.linkedTo(relay.id).includes(other)) this.#setView(relay, relay.view.live.filter((id) => id !== other));
    }, this.between(...LAPSE_MS));
  }

  #setView(relay: SimulatedRelay, live: string[]): void {
    relay.setView(live, this.#known.get(relay.id)?.size ?? 1);
  }

  /**
   * Who is cut off from the owner of a key may keep what it has, and use its part: the stated bound. What part that is depends on how many it goes on seeing;
   * never more than all but one of a minority.
   */
  #beforeCut(isCut: IsCut): void {
    const { relays } = this.world;
    for (const { key, limit, beyond } of this.keys) {
      for (const relay of relays) {
        const owner = new Owners(relay.view.live).of(key);
        const seen = relays.filter(({ id }) => !isCut(relay.id, id)).length;
        const known = this.#known.get(relay.id)?.size ?? 1;
        const isOut = owner === undefined || isCut(relay.id, owner) || 2 * seen <= known;
        if (!isOut) continue;
        const part = Math.max(usableLimit(limit, 1, known), 2 * seen <= known ? usableLimit(limit, seen, known) : 0);
        beyond.set(relay.id, Math.max(beyond.get(relay.id) ?? 0, this.#heldBy(relay.id, key), relay.counters.share(key) ?? 0, part));
      }
    }
  }

  // The users.

  /** Takes a place of each key that it draws, and gives them back after a while. */
  async visit(relay: SimulatedRelay, holdMs: number): Promise<boolean> {
    const keys = this.keys.filter(() => this.random() < 0.6);
    const wait = new AbortController();
    const timer = this.clock.setTimer(() => wait.abort(), 250);
    try {
      const holds = keys.map(({ key, limit }) => ({ limit: 'circuits.perPrefix' as const, key, maximum: limit }));
      const { ok } = await relay.counters.take(holds, [], wait.signal);
      if (ok) this.#hold(relay, keys, holdMs);
      else this.refused++;
      return ok;
    } catch (error) {
      if (!(error instanceof RelaydError && error.code === 'CLOSED')) this.excesses.push(String(error));
      return false;
    } finally {
      timer.cancel();
    }
  }

  total(key: string): number {
    return [...this.#held.values()].reduce((sum, held) => sum + (held.get(key) ?? 0), 0);
  }

  #heldBy(relay: string, key: string): number {
    return this.#held.get(relay)?.get(key) ?? 0;
  }

  #hold(relay: SimulatedRelay, keys: readonly Key[], holdMs: number): void {
    // Killed while it waited.
    if (this.world.relay(relay.id) !== relay) return;
    this.admitted++;
    keys.forEach(({ key }) => this.#change(relay.id, key, 1));
    for (const { key, limit, beyond } of keys) {
      const bound = limit + [...beyond.values()].reduce((sum, more) => sum + more, 0);
      if (this.total(key) > bound) this.excesses.push(`${this.clock.now()}: ${this.total(key)} of ${key}, at most ${bound}`);
    }
    this.clock.setTimer(() => {
      if (this.world.relay(relay.id) !== relay) return;
      keys.forEach(({ key }) => this.#change(relay.id, key, -1));
      relay.counters.give(keys.map(({ key }) => key));
    }, holdMs);
  }

  #change(relay: string, key: string, change: number): void {
    const held = this.#held.get(relay) as Map<string, number>;
    held.set(key, (held.get(key) ?? 0) + change);
  }

  /** Users come to relays at random for so long. */
  async rush(ms: number, everyMs: number, longestMs: number): Promise<void> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      const relay = this.pick(this.world.relays.filter((one) => this.#serving.has(one)));
      if (relay !== undefined && this.random() < RESTATED) void relay.counters.restate(new Map(this.#held.get(relay.id)));
      if (relay !== undefined) void this.visit(relay, this.between(1, longestMs));
      await this.clock.run(this.between(0, 2 * everyMs));
    }
  }

  // Afterwards.

  /** What the owner of each key counts, against what is held. */
  mismatches(): string[] {
    return this.keys.flatMap(({ key }) => {
      const owner = this.#ownerOf(key);
      const counted = owner?.counters.total(key);
      return counted === this.total(key) ? [] : [`${key}: ${owner?.id} counts ${counted}, ${this.total(key)} are held`];
    });
  }

  /** What may be had of a key: relays that are gone are known for ten minutes, to those that have seen them. */
  usable({ key, limit }: Key): number {
    const { live, known } = this.#ownerOf(key)?.view ?? { live: [], known: 1 };
    return usableLimit(limit, live.length, known);
  }

  /** When all agree. */
  #ownerOf(key: string): SimulatedRelay | undefined {
    return this.world.relays.find(({ id, view }) => new Owners(view.live).of(key) === id);
  }

  /** Takes of `key` whatever there is, at relays in turn, until all have refused. */
  async fill({ key, limit }: Key): Promise<number> {
    let taken = 0;
    for (let refusals = 0, i = 0; refusals < this.world.relays.length; i++) {
      const relay = this.world.relays[i % this.world.relays.length] as SimulatedRelay;
      const result = relay.counters.take([{ limit: 'circuits.perPrefix', key, maximum: limit }], [], new AbortController().signal);
      await this.clock.run(2_000);
      const { ok } = await result;
      taken += Number(ok);
      refusals = ok ? 0 : refusals + 1;
    }
    return taken;
  }
}
