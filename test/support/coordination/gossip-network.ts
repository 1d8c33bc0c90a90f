import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry as MetricsRegistry } from 'prom-client';
import type { PeerId } from '@libp2p/interface';
import { BEAT_EVERY_MS } from '../../../src/coordination/backend.ts';
import { GossipRegistry } from '../../../src/coordination/gossip/registry.ts';
import type { ConfiguredRelay, LinkHandler, LinkKind, Links } from '../../../src/coordination/links.ts';
import type { RegistryOptions } from '../../../src/coordination/registry-options.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../waiting.ts';
import { Heard } from './rig.ts';
import { proofsOf, signedRecord } from './signed.ts';

/** The registry looks at nothing of it. */
const NO_CONFIG = {} as RegistryOptions['config'];

const STEP_MS = 50;

/** Relays whose links and gossip are calls in this process, and whose time is moved by hand: any of it may be lost, at will. */
export class GossipNetwork {
  readonly clock = new ManualClock(Date.UTC(2026, 10, 21));
  readonly relays: MemoryRelay[] = [];
  /** Whether a message of gossip from one relay reaches another. */
  arrives: (from: string, to: string) => boolean = () => true;
  /** Whom the configuration of each relay names. */
  named: readonly ConfiguredRelay[] = [];
  /** From 0 to 1: whom a relay compares with. */
  random: () => number = Math.random;
  readonly #cut = new Set<string>();
  #dir: string | undefined;

  async start(id: string, options: { epoch?: number; isBeating?: boolean } = {}): Promise<MemoryRelay> {
    this.#dir ??= await mkdtemp(join(tmpdir(), 'relayd-gossip-'));
    const dataDir = join(this.#dir, id);
    await mkdir(dataDir, { recursive: true });
    const relay = new MemoryRelay(this, id, { epoch: options.epoch ?? 1, dataDir, isBeating: options.isBeating ?? true });
    this.relays.push(relay);
    await relay.start();
    return relay;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.relays.splice(0).map((relay) => relay.kill()));
    if (this.#dir !== undefined) await rm(this.#dir, { recursive: true, force: true });
  }

  /** Moves time, and lets everything happen that is due meanwhile. */
  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      this.clock.advance(STEP_MS);
      await settled(1);
    }
    await settled(3);
  }

  /** Nothing goes between `relay` and the others; links are lost. */
  cut(id: string): void {
    this.#cut.add(id);
    this.#changed(id, false);
  }

  heal(id: string): void {
    this.#cut.delete(id);
    this.#changed(id, true);
  }

  reachable(from: string): MemoryRelay[] {
    return this.relays.filter(({ id }) => id !== from && !this.#cut.has(id) && !this.#cut.has(from));
  }

  came(relay: MemoryRelay): void {
    this.reachable(relay.id).forEach((other) => {
      other.links.tell(relay.id, true);
      relay.links.tell(other.id, true);
    });
  }

  went(relay: MemoryRelay): void {
    const at = this.relays.indexOf(relay);
    if (at !== -1) this.relays.splice(at, 1);
    if (!this.relays.some(({ id }) => id === relay.id)) this.reachable(relay.id).forEach((other) => other.links.tell(relay.id, false));
  }

  #changed(id: string, isMember: boolean): void {
    for (const { id: other, links } of this.relays) {
      if (other === id) this.relays.filter((one) => one.id !== id).forEach((one) => links.tell(one.id, isMember));
      else links.tell(id, isMember);
    }
  }
}

export class MemoryRelay {
  readonly id: string;
  readonly epoch: number;
  readonly heard = new Heard();
  readonly links: MemoryLinks;
  readonly registry: GossipRegistry;
  readonly metrics = new MetricsRegistry();
  readonly #network: GossipNetwork;
  readonly #isBeating: boolean;
  #hear: (from: string, message: Uint8Array) => void = () => {};
  #beats = 0;
  #timer: { cancel(): void } | undefined;

  constructor(network: GossipNetwork, id: string, { epoch, dataDir, isBeating }: { epoch: number; dataDir: string; isBeating: boolean }) {
    this.#network = network;
    this.id = id;
    this.epoch = epoch;
    this.#isBeating = isBeating;
    this.links = new MemoryLinks(network, id);
    const { clock } = network;
    const options = { self: id, epoch, config: NO_CONFIG, dataDir, secret: new ClusterSecret(['00'.repeat(32)], 'test', silentLogger), links: this.links, listener: this.heard, proofs: proofsOf(this), clock, log: silentLogger, metrics: this.metrics };
    this.registry = new GossipRegistry(options, (_metrics, onMessage) => {
      this.#hear = onMessage;
      return { start: async () => {}, stop: async () => {}, mend: () => {}, publish: (message) => this.#publish(message) };
    }, () => network.random());
  }

  async start(): Promise<void> {
    await this.registry.start();
    this.#network.came(this);
    if (this.#isBeating) await this.beat();
  }

  /** At once, and every second from then on. */
  async beat(): Promise<void> {
    this.#timer = this.#network.clock.setTimer(() => void this.beat(), BEAT_EVERY_MS);
    await this.registry.beat(signedRecord(this, `beat ${this.#beats++}`)).catch(() => {});
  }

  async leave(): Promise<void> {
    this.#timer?.cancel();
    await this.registry.leave();
    await this.kill();
  }

  async kill(): Promise<void> {
    this.#timer?.cancel();
    this.#network.went(this);
    await this.registry.stop();
  }

  holders(peer: string): Promise<string[]> {
    return this.registry.holders(peer, AbortSignal.timeout(10_000));
  }

  hear(from: string, message: Uint8Array): void {
    try {
      this.#hear(from, message);
    } catch {
      // As gossipsub, which drops it.
    }
  }

  #publish(message: Uint8Array): void {
    for (const other of this.#network.reachable(this.id)) {
      if (this.#network.arrives(this.id, other.id)) other.hear(this.id, message);
    }
  }
}

class MemoryLinks implements Links {
  readonly name = 'links';
  readonly #network: GossipNetwork;
  readonly #self: string;
  readonly #handlers = new Map<LinkKind, LinkHandler>();
  readonly #listeners = new Set<(relay: string, isMember: boolean) => void>();

  constructor(network: GossipNetwork, self: string) {
    this.#network = network;
    this.#self = self;
  }

  start(): void {}
  stop(): void {}
  want(): void {}

  configured(): readonly ConfiguredRelay[] {
    return this.#network.named;
  }

  members(): string[] {
    return this.#network.reachable(this.#self).map(({ id }) => id);
  }

  isMember(peer: PeerId): boolean {
    return this.members().includes(peer.toString());
  }

  onChange(listener: (relay: string, isMember: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onLink(): () => void {
    return () => {};
  }

  tell(relay: string, isMember: boolean): void {
    this.#listeners.forEach((listener) => listener(relay, isMember));
  }

  async ask(relay: string, kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const other = this.#network.reachable(this.#self).findLast(({ id }) => id === relay);
    if (other === undefined) throw new RelaydError('CLOSED', 'there is no link');
    return await other.links.handle(this.#self, kind, question, signal);
  }

  async handle(from: string, kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const handler = this.#handlers.get(kind);
    if (handler === undefined) throw new RelaydError('BAD_REQUEST', 'refused');
    return await handler(from, question, signal);
  }

  answer(kind: LinkKind, handler: LinkHandler): () => void {
    this.#handlers.set(kind, handler);
    return () => this.#handlers.delete(kind);
  }

  openStream(): Promise<never> {
    return Promise.reject(new RelaydError('CLOSED', 'there are no streams here'));
  }

  rttMs(): number {
    return 1;
  }

  skew(): undefined {}
}
