import type { BackendListener, Counters, Registry, SharedRevocations } from '../../../src/coordination/backend.ts';
import { BEAT_EVERY_MS } from '../../../src/coordination/backend.ts';
import { errorMessage } from '../../../src/lib/errors.ts';

/** A backend with its real servers, on which any number of relays can be started: what the conformance suite runs over. */
export interface Rig {
  readonly name: string;
  /** Places and tokens are counted by the store itself, one by one; else by shares. */
  readonly exact: boolean;
  /** Starts the registry and counters of one relay, and its beats. */
  relay(options?: RelayOptions): Promise<RigRelay>;
  /** Cuts `relay` off from the store, or from all other relays where there is none: silently, nothing is reset. The result heals it. */
  cut(relay: RigRelay): Promise<() => Promise<void>>;
  /** The whole store loses what it was told (a failover without the last writes, a flush); absent where there is no store. */
  forget?(): Promise<void>;
  stop(): Promise<void>;
}

export interface RelayOptions {
  /** The same relay again, in a later run. */
  readonly again?: RigRelay;
  readonly epoch?: number;
}

/** One relay's end of the backend, and what it has been told. */
export interface RigRelay {
  readonly id: string;
  readonly epoch: number;
  readonly registry: Registry;
  readonly counters: Counters;
  readonly heard: Heard;
  /** In order: leaves, stops. */
  stop(): Promise<void>;
  /** As a process that is killed: no more beats, no leave, connections reset. */
  kill(): Promise<void>;
}

/** Records what a backend tells, and keeps the newest of each. */
export class Heard implements BackendListener {
  readonly relays = new Map<string, Uint8Array>();
  readonly goneBecause = new Map<string, 'left' | 'lapsed'>();
  readonly lists = new Map<string, SharedRevocations>();
  readonly problems: (string | undefined)[] = [];
  staleTimes = 0;
  fencedTimes = 0;

  relay(peer: string, record: Uint8Array): void {
    this.relays.set(peer, record);
    this.goneBecause.delete(peer);
  }

  gone(peer: string, why: 'left' | 'lapsed'): void {
    this.relays.delete(peer);
    this.goneBecause.set(peer, why);
  }

  revocations(list: SharedRevocations): void {
    this.lists.set(list.authority, list);
  }

  health(problem: string | undefined): void {
    this.problems.push(problem);
  }

  stale(): void {
    this.staleTimes++;
  }

  fenced(): void {
    this.fencedTimes++;
  }
}

/** Beats for a registry as the coordinator does, until it is stopped. Records are opaque to a backend: see signed.ts. */
export class Beats {
  readonly #registry: Registry;
  readonly #record: () => Uint8Array;
  #timer: NodeJS.Timeout | undefined;
  readonly errors: string[] = [];

  constructor(registry: Registry, record: () => Uint8Array) {
    this.#registry = registry;
    this.#record = record;
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => void this.#beat(), BEAT_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    try {
      await this.#registry.beat(this.#record());
    } catch (error) {
      this.errors.push(errorMessage(error));
    }
  }
}
