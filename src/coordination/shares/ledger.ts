/** What one relay has been lent of a key; `round` tells in which session it was last said. */
interface Loan {
  count: number;
  round: number;
}

/** One relay can be lent so many keys: far more than it has room for reservations and circuits. */
const MAX_KEYS_PER_RELAY = 1 << 17;

/** What the lender has lent: of each key, to each relay. Nothing is kept of a key of which nobody holds anything. */
export class Ledger {
  readonly #byRelay = new Map<string, Map<string, Loan>>();
  readonly #totals = new Map<string, number>();

  /** Over all relays. */
  total(key: string): number {
    return this.#totals.get(key) ?? 0;
  }

  of(relay: string, key: string): number {
    return this.#byRelay.get(relay)?.get(key)?.count ?? 0;
  }

  /** Relays that have been lent some of `key`. */
  holders(key: string): string[] {
    return [...this.#byRelay].flatMap(([relay, loans]) => (loans.has(key) ? [relay] : []));
  }

  /** Whether one more key may be lent to `relay`. */
  hasRoom(relay: string, key: string): boolean {
    const loans = this.#byRelay.get(relay);
    return loans === undefined || loans.size < MAX_KEYS_PER_RELAY || loans.has(key);
  }

  set(relay: string, key: string, count: number, round: number): void {
    const loans = this.#loansOf(relay);
    const before = loans.get(key)?.count ?? 0;
    if (count > 0) loans.set(key, { count, round });
    else loans.delete(key);
    this.#addToTotal(key, count - before);
  }

  /** What `relay` has been lent in `round`: who speaks of a key has said in the report what it holds of it. */
  add(relay: string, key: string, change: number, round: number): void {
    const loan = this.#byRelay.get(relay)?.get(key);
    const count = loan?.round === round ? loan.count : 0;
    this.set(relay, key, Math.max(0, count + change), round);
  }

  /** Frees what `relay` was lent before `round` and did not name in it. */
  dropBefore(relay: string, round: number): void {
    for (const [key, loan] of this.#loansOf(relay)) {
      if (loan.round < round) this.set(relay, key, 0, round);
    }
  }

  /** Frees all that `relay` was lent. */
  drop(relay: string): void {
    this.dropBefore(relay, Infinity);
    this.#byRelay.delete(relay);
  }

  clear(): void {
    this.#byRelay.clear();
    this.#totals.clear();
  }

  #loansOf(relay: string): Map<string, Loan> {
    let loans = this.#byRelay.get(relay);
    if (loans === undefined) this.#byRelay.set(relay, (loans = new Map<string, Loan>()));
    return loans;
  }

  #addToTotal(key: string, change: number): void {
    const total = this.total(key) + change;
    if (total > 0) this.#totals.set(key, total);
    else this.#totals.delete(key);
  }
}
