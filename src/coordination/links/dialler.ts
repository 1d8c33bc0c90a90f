import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit } from '../../lib/addresses.ts';
import type { Clock, TimerHandle } from '../../lib/clock.ts';
import type { LinkTarget } from '../links.ts';

/** The wait after the first failure, and the most after many: a relay that is back is linked again within seconds. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;

/** The relay with the lower id dials first; the other waits for so long, so that mostly one link is made and not two. */
const AFTER_YOU_MS = 300;

/** Addresses of one relay that are tried. */
const MAX_ADDRS = 8;

export interface DiallerOptions {
  readonly self: string;
  readonly configured: readonly string[];
  /** Relays to which no dial is due now: there is a link. */
  readonly isLinked: (peer: string) => boolean;
  /** Makes a link; never throws. `false`: it did not work. */
  readonly connect: (peer: string, addrs: readonly Multiaddr[]) => Promise<boolean>;
  /** Relays that are kept to at a time. */
  readonly maxTargets: number;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

interface Target {
  addrs: readonly Multiaddr[];
  failures: number;
  isDialling: boolean;
  timer: TimerHandle | undefined;
}

/** Dials the relays that there are to be links to, again and again, until there is one. */
export class Dialler {
  readonly #o: DiallerOptions;
  readonly #configured: ReadonlyMap<string, readonly Multiaddr[]>;
  #targets = new Map<string, Target>();
  #isRunning = false;

  constructor(options: DiallerOptions) {
    this.#o = options;
    this.#configured = grouped(options.configured);
  }

  start(): void {
    this.#isRunning = true;
    this.want([]);
  }

  stop(): void {
    this.#isRunning = false;
    this.#targets.forEach(({ timer }) => timer?.cancel());
    this.#targets.clear();
  }

  /** Those of the configuration. */
  configured(): string[] {
    return [...this.#configured.keys()].filter((peer) => peer !== this.#o.self);
  }

  isWanted(peer: string): boolean {
    return this.#targets.has(peer);
  }

  /** From now on these relays, and those of the configuration. */
  want(relays: readonly LinkTarget[]): void {
    if (!this.#isRunning) {
      return;
    }
    const before = this.#targets;
    this.#targets = new Map();
    for (const [peer, addrs] of this.#merged(relays)) {
      const target = before.get(peer) ?? { addrs, failures: 0, isDialling: false, timer: undefined };
      target.addrs = addrs;
      this.#targets.set(peer, target);
      before.delete(peer);
      this.#arm(peer, target);
    }
    before.forEach(({ timer }) => timer?.cancel());
  }

  /** The link to `peer` is gone. */
  lost(peer: string): void {
    const target = this.#targets.get(peer);
    if (target !== undefined) this.#arm(peer, target);
  }

  #merged(relays: readonly LinkTarget[]): [string, readonly Multiaddr[]][] {
    const merged = new Map(this.#configured);
    for (const { peer, addrs } of relays) {
      merged.set(peer, distinct([...(merged.get(peer) ?? []), ...addrs.flatMap(parsed)]));
    }
    merged.delete(this.#o.self);
    return [...merged].slice(0, this.#o.maxTargets);
  }

  #arm(peer: string, target: Target): void {
    if (target.timer !== undefined || target.isDialling || this.#o.isLinked(peer)) {
      return;
    }
    target.timer = this.#o.clock.setTimer(() => void this.#dial(peer, target), this.#waitMs(peer, target.failures));
  }

  async #dial(peer: string, target: Target): Promise<void> {
    target.timer = undefined;
    if (this.#o.isLinked(peer)) {
      target.failures = 0;
      return;
    }
    target.isDialling = true;
    const isMade = await this.#o.connect(peer, target.addrs);
    target.isDialling = false;
    target.failures = isMade ? 0 : target.failures + 1;
    if (this.#targets.get(peer) === target) this.#arm(peer, target);
  }

  #waitMs(peer: string, failures: number): number {
    const { self, random } = this.#o;
    const afterYouMs = failures === 0 && self > peer ? AFTER_YOU_MS : 0;
    return afterYouMs + random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 10));
  }
}

/** The addresses of each relay; one without an id in it leads to nobody in particular. */
function grouped(addrs: readonly string[]): Map<string, readonly Multiaddr[]> {
  const groups = new Map<string, readonly Multiaddr[]>();
  for (const addr of addrs.flatMap(parsed)) {
    const peer = peerOf(addr);
    if (peer !== undefined) groups.set(peer, distinct([...(groups.get(peer) ?? []), addr]));
  }
  return groups;
}

/** Records of other relays may name address forms that this program does not know: those are passed over. */
function parsed(text: string): Multiaddr[] {
  try {
    const addr = multiaddr(text);
    return isCircuit(addr) ? [] : [addr];
  } catch {
    return [];
  }
}

function peerOf(addr: Multiaddr): string | undefined {
  const last = addr.getComponents().at(-1);
  return last?.name === 'p2p' ? last.value : undefined;
}

function distinct(addrs: readonly Multiaddr[]): Multiaddr[] {
  return [...new Map(addrs.map((addr) => [addr.toString(), addr])).values()].slice(0, MAX_ADDRS);
}
