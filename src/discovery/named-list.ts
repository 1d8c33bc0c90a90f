import { withDeadline } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { followDnsaddr } from './dnsaddr.ts';
import type { LookUpTxt } from './dnsaddr.ts';
import { Loop } from './loop.ts';
import type { PartOptions } from './parts.ts';

/** The TTL that such records commonly have is hidden from us by the resolver; who changes a list waits this long at most. */
const REFRESH_MS = 10 * 60_000;

/** All names of an entry together. */
const DEADLINE_MS = 15_000;

export interface NamedListOptions extends PartOptions {
  readonly lookUp: LookUpTxt;
  readonly onChange: () => void;
}

/** What one `/dnsaddr/…` entry stands for: looked up again and again, the last good answer kept while there is none. */
export class NamedList {
  readonly #entry: string;
  readonly #o: NamedListOptions;
  readonly #loop: Loop;
  #addrs: readonly string[] = [];
  #failing = false;

  constructor(entry: string, options: NamedListOptions) {
    const { clock, random, log } = options;
    this.#entry = entry;
    this.#o = options;
    this.#loop = new Loop({ name: 'dnsaddr', work: (signal) => this.#refresh(signal), intervalMs: () => REFRESH_MS, clock, random, log });
  }

  get addrs(): readonly string[] {
    return this.#addrs;
  }

  start(): void {
    this.#loop.start();
  }

  stop(): void {
    this.#loop.stop();
  }

  async #refresh(stop: AbortSignal): Promise<void> {
    try {
      const { addrs, problems } = await withDeadline(DEADLINE_MS, this.#o.clock, [stop], (signal) => followDnsaddr(this.#entry, this.#o.lookUp, signal));
      const problem = problems[0] ?? (addrs.length === 0 ? 'no record names a full address' : undefined);
      // What a part of the names has said is no reason to drop what the others said before.
      this.#adopt(problem === undefined ? addrs : [...new Set([...addrs, ...this.#addrs])]);
      if (problem !== undefined) throw new RelaydError('NO_ADDRESS', problem);
      this.#failing = false;
      this.#o.metrics.name('ok');
    } catch (error) {
      if (!stop.aborted) this.#failed(error);
      throw error;
    }
  }

  #failed(error: unknown): void {
    this.#o.metrics.name('failed');
    if (!this.#failing) {
      this.#failing = true;
      const reason = peerText(error instanceof Error ? error.message : String(error));
      this.#o.log.warn({ entry: this.#entry, reason, kept: this.#addrs.length }, 'a dnsaddr name could not be looked up; what it said before is used, and it is asked again');
    }
  }

  #adopt(addrs: readonly string[]): void {
    const sorted = [...addrs].sort();
    if (sorted.join() !== this.#addrs.join()) {
      this.#addrs = sorted;
      this.#o.log.info({ entry: this.#entry, addrs: sorted.length }, 'a dnsaddr name lists other addresses than before');
      this.#o.onChange();
    }
  }
}
