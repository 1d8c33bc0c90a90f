/** Where everything of one cluster lies in etcd, and how keys are read back. docs/reference/cluster-etcd.md describes it. */
export class Keys {
  readonly prefix: string;
  /** From the lists to the end of the records: what every relay watches. Nothing else may sort between them. */
  readonly watched: KeyRange;
  readonly #relays: string;
  readonly #lists: string;

  constructor(cluster: string) {
    this.prefix = `/relayd/${cluster}/`;
    this.#relays = `${this.prefix}relays/`;
    this.#lists = `${this.prefix}lists/`;
    this.watched = { from: this.#lists, to: endOf(this.#relays) };
  }

  record(relay: string): string {
    return this.#relays + relay;
  }

  /** The relay whose record lies at `key`. */
  relayOf(key: string): string | undefined {
    return lastPart(key, this.#relays);
  }

  list(authority: string): string {
    return this.#lists + authority;
  }

  authorityOf(key: string): string | undefined {
    return lastPart(key, this.#lists);
  }

  reservation(target: string, relay: string): string {
    return this.#reservationsOf(target) + relay;
  }

  reservations(target: string): KeyRange {
    return under(this.#reservationsOf(target));
  }

  usage(window: string, key: string, relay: string): string {
    return this.#usageOf(window, key) + relay;
  }

  /** What all relays have counted for `key` in `window`. */
  usages(window: string, key: string): KeyRange {
    return under(this.#usageOf(window, key));
  }

  #reservationsOf(target: string): string {
    return `${this.prefix}reservations/${target}/`;
  }

  /** Keys of quotas have slashes; written plainly, one could be the beginning of another. */
  #usageOf(window: string, key: string): string {
    return `${this.prefix}usage/${window}/${encodeURIComponent(key)}/`;
  }
}

/** From `from` on, up to but without `to`. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** The last part of a key of the store. */
export function nameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

function under(prefix: string): KeyRange {
  return { from: prefix, to: endOf(prefix) };
}

/** The first key behind all that begin with `prefix`, which ends with a slash. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

function lastPart(key: string, prefix: string): string | undefined {
  const name = key.startsWith(prefix) ? key.slice(prefix.length) : '';
  return name === '' || name.includes('/') ? undefined : name;
}
