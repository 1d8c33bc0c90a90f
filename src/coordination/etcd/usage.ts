import type { Usage } from '../backend.ts';
import { MAX_TXN_OPERATIONS } from './limits.ts';
import { putOf, rangeOf } from './messages.ts';
import type { Entry, Operation } from './messages.ts';
import type { OwnDataOptions } from './own-data.ts';
import { decodeUsage, encodeUsage } from './values.ts';

const DAY_MS = 24 * 3_600_000;

/** Each usage is a write and a read of all relays' numbers. */
const BATCH = MAX_TXN_OPERATIONS / 2;

/** Keys of quotas that are remembered between reports; one that is forgotten is read from the store again, at one question more. */
const MAX_REMEMBERED = 65_536;

interface Own {
  /** What this relay's earlier epochs counted. */
  readonly earlierBytes: number;
  /** What this one has told; -1: the store may not even have `earlierBytes`. */
  toldBytes: number;
}

/** How much of each quota was used, over the whole cluster: one number a relay, key and window. */
export class Usages {
  readonly #o: OwnDataOptions;
  readonly #own = new Map<string, Own>();
  /** One lease a window, which nobody keeps alive: with it all of the window goes, a day after its end. */
  readonly #leases = new Map<string, string>();

  constructor(options: OwnDataOptions) {
    this.#o = options;
  }

  /** @throws RelaydError STORE_UNAVAILABLE, CLOSED */
  async report(usage: readonly Usage[], signal: AbortSignal): Promise<number[]> {
    const totals: number[] = [];
    for (let i = 0; i < usage.length; i += BATCH) totals.push(...(await this.#reportSome(usage.slice(i, i + BATCH), signal)));
    return totals;
  }

  /** The store may have lost what it was told. */
  lost(): void {
    this.#own.forEach((own) => (own.toldBytes = -1));
    this.#leases.clear();
  }

  async #reportSome(usage: readonly Usage[], signal: AbortSignal): Promise<number[]> {
    const { keys, session } = this.#o;
    await this.#learnEarlier(usage, signal);
    const changed = usage.filter((one) => this.#isNews(one));
    const newest = new Map(changed.toSorted((a, b) => a.bytes - b.bytes).map((one) => [nameOf(one), one]));
    const puts = await Promise.all([...newest.values()].map((one) => this.#put(one)));
    const reads = usage.map(({ window, key }) => rangeOf(keys.usages(window, key)));
    const found = await session.commit([...puts, ...reads], signal);
    changed.forEach((one) => this.#told(one));
    return found.slice(puts.length).map((entries) => total(entries));
  }

  /** What this relay's earlier runs counted; a run of the same epoch counts on from its own number. */
  async #learnEarlier(usage: readonly Usage[], signal: AbortSignal): Promise<void> {
    const { keys, self, session, epoch } = this.#o;
    const unknown = usage.filter((one) => !this.#own.has(nameOf(one)));
    if (unknown.length === 0) return;
    const found = await session.commit(unknown.map(({ window, key }) => rangeOf(keys.usage(window, key, self))), signal);
    unknown.forEach((one, i) => {
      const there = found[i]?.[0] === undefined ? undefined : decodeUsage(found[i][0].value);
      const isOurs = there?.epoch === epoch;
      const earlierBytes = there === undefined ? 0 : there.earlierBytes + (isOurs ? 0 : there.bytes);
      this.#remember(nameOf(one), { earlierBytes, toldBytes: isOurs ? there.bytes : 0 });
    });
  }

  /** A count only grows, and one of nothing is not written: who asks for a total costs the store no more than that. */
  #isNews(usage: Usage): boolean {
    const { earlierBytes, toldBytes } = this.#own.get(nameOf(usage)) ?? { earlierBytes: 0, toldBytes: 0 };
    return usage.bytes > toldBytes && usage.bytes + earlierBytes > 0;
  }

  async #put(usage: Usage): Promise<Operation> {
    const { keys, self, epoch } = this.#o;
    const value = encodeUsage({ epoch, earlierBytes: this.#own.get(nameOf(usage))?.earlierBytes ?? 0, bytes: usage.bytes });
    return putOf(keys.usage(usage.window, usage.key, self), value, await this.#leaseOf(usage.window));
  }

  #told(usage: Usage): void {
    const own = this.#own.get(nameOf(usage));
    if (own !== undefined) own.toldBytes = Math.max(own.toldBytes, usage.bytes);
  }

  #remember(name: string, own: Own): void {
    const oldest = this.#own.size < MAX_REMEMBERED ? undefined : this.#own.keys().next().value;
    if (oldest !== undefined) this.#own.delete(oldest);
    this.#own.set(name, own);
  }

  async #leaseOf(window: string): Promise<string> {
    const there = this.#leases.get(window);
    if (there !== undefined) return there;
    const { client, clock } = this.#o;
    const lifeMs = Math.max(0, endOf(window) - clock.wall()) + DAY_MS;
    const { id } = await client.grant(Math.ceil(lifeMs / 1_000));
    this.#leases.set(window, id);
    return id;
  }
}

function nameOf({ window, key }: Usage): string {
  return `${window}/${key}`;
}

function total(entries: readonly Entry[]): number {
  return entries.reduce((sum, { value }) => {
    const usage = decodeUsage(value);
    return usage === undefined ? sum : sum + usage.earlierBytes + usage.bytes;
  }, 0);
}

/** Unix milliseconds of the end of a day or month of UTC. */
function endOf(window: string): number {
  const [year = 0, month = 1, day] = window.split('-').map(Number);
  return day === undefined ? Date.UTC(year, month, 1) : Date.UTC(year, month - 1, day + 1);
}
