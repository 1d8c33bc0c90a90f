import { isDnsaddr } from './dnsaddr.ts';
import { NamedList } from './named-list.ts';
import type { NamedListOptions } from './named-list.ts';

/** Addresses that the operator wrote: full ones, and `/dnsaddr/NAME` that stand for several. */
export interface AddressLists {
  readonly relays: readonly string[];
  readonly bootstrap: readonly string[];
}

/** More names than anyone lists; each costs a look-up of its own. */
const MAX_NAMES = 16;

export interface NamedAddressesOptions extends Omit<NamedListOptions, 'onChange'> {
  readonly lists: AddressLists;
  /** With every entry that is a name replaced by what it stands for. */
  readonly onChange: (lists: AddressLists) => void;
}

/** The lists of the configuration with the names in them replaced by addresses, for as long as it runs. */
export class NamedAddresses {
  readonly #o: NamedAddressesOptions;
  readonly #named = new Map<string, NamedList>();
  #lists: AddressLists;
  #isRunning = false;

  constructor(options: NamedAddressesOptions) {
    this.#o = options;
    this.#lists = options.lists;
  }

  get lists(): AddressLists {
    return { relays: this.#expand(this.#lists.relays), bootstrap: this.#expand(this.#lists.bootstrap) };
  }

  start(): void {
    this.#isRunning = true;
    this.#watch();
  }

  stop(): void {
    this.#isRunning = false;
    this.#named.forEach((named) => named.stop());
    this.#named.clear();
  }

  update(lists: AddressLists): void {
    this.#lists = lists;
    if (this.#isRunning) this.#watch();
    this.#o.onChange(this.lists);
  }

  /** One watch a name, however often it is written. */
  #watch(): void {
    const entries = [...new Set([...this.#lists.relays, ...this.#lists.bootstrap].filter(isDnsaddr))];
    entries.slice(MAX_NAMES).forEach((entry) => this.#o.log.warn({ entry }, `more than ${MAX_NAMES} dnsaddr names: this one is not looked up`));
    const wanted = new Set(entries.slice(0, MAX_NAMES));
    for (const [entry, named] of this.#named) {
      if (!wanted.has(entry)) {
        named.stop();
        this.#named.delete(entry);
      }
    }
    for (const entry of wanted) {
      if (!this.#named.has(entry)) this.#begin(entry);
    }
  }

  #begin(entry: string): void {
    const named = new NamedList(entry, { ...this.#o, onChange: () => this.#o.onChange(this.lists) });
    this.#named.set(entry, named);
    named.start();
  }

  #expand(entries: readonly string[]): string[] {
    return [...new Set(entries.flatMap((entry) => (isDnsaddr(entry) ? (this.#named.get(entry)?.addrs ?? []) : [entry])))];
  }
}
