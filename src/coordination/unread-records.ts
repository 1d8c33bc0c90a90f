import { MAX_RELAYS } from './relay-memory.ts';

/**
 * The newest record of each relay that was sealed with no secret which is accepted here. When the cluster changes its secret, that may be one which this relay takes over
 * a little later; a backend does not tell again what has not changed.
 */
export class UnreadRecords {
  readonly #sealed = new Map<string, Uint8Array>();

  keep(peer: string, sealed: Uint8Array): void {
    if (this.#sealed.has(peer) || this.#sealed.size < MAX_RELAYS) this.#sealed.set(peer, sealed);
  }

  forget(peer: string): void {
    this.#sealed.delete(peer);
  }

  /** All of them; they are not kept any longer. */
  take(): [peer: string, sealed: Uint8Array][] {
    const all = [...this.#sealed];
    this.#sealed.clear();
    return all;
  }
}
