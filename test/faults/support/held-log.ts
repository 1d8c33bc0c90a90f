import type { Relays } from '../programs/clients/protocol.ts';

/** Which relays each client held at any time of a recording. */
export class HeldLog {
  readonly #byClient: Map<number, Relays[]>;

  constructor(held: readonly Relays[]) {
    this.#byClient = Map.groupBy(held, ({ client }) => client);
  }

  at(client: number, atMs: number): string[] {
    return this.#byClient.get(client)?.findLast((one) => one.atMs <= atMs)?.relays ?? [];
  }

  /** The least that a client held from then on, what it held then included. */
  leastFrom(client: number, atMs: number): number {
    const later = this.#byClient.get(client)?.filter((one) => one.atMs > atMs) ?? [];
    return Math.min(this.at(client, atMs).length, ...later.map(({ relays }) => relays.length));
  }
}
