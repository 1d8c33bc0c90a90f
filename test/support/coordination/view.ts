import type { LinkTarget, Links } from '../../../src/coordination/links.ts';
import { Heard } from './rig.ts';

/** What a relay is told, who is alive by that, and links to those who are: as the coordinator does. Records are `<epoch> <address>`, and what else. */
export class View extends Heard {
  readonly #self: string;
  readonly #links: Pick<Links, 'want'>;
  readonly #listeners = new Set<() => void>();

  constructor(self: string, links: Pick<Links, 'want'>) {
    super();
    this.#self = self;
    this.#links = links;
  }

  override relay(peer: string, record: Uint8Array): void {
    super.relay(peer, record);
    this.#links.want([...this.relays].map(([id, bytes]): LinkTarget => ({ peer: id, addrs: [addrIn(bytes)] })));
    this.#listeners.forEach((listener) => listener());
  }

  override gone(peer: string, why: 'left' | 'lapsed'): void {
    super.gone(peer, why);
    this.#listeners.forEach((listener) => listener());
  }

  now(): { live: readonly string[]; known: number } {
    const live = [this.#self, ...this.relays.keys()];
    return { live, known: live.length + [...this.goneBecause.values()].filter((why) => why === 'lapsed').length };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function addrIn(record: Uint8Array): string {
  return Buffer.from(record).toString().split(' ')[1] ?? '';
}
