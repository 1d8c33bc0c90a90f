import type { PeerId } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Registry } from './backend.ts';
import { LINK_KINDS } from './links.ts';
import type { Links } from './links.ts';

export interface HoldersOptions {
  readonly self: string;
  readonly registry: Pick<Registry, 'holders'>;
  readonly links: Pick<Links, 'members' | 'ask' | 'answer'>;
  /** Whether this relay holds a reservation of the peer's. */
  readonly holds: (peer: string) => boolean;
  readonly clock: Clock;
}

/** A client waits for its circuit meanwhile; a store far away answers in a fraction of it. */
const DEADLINE_MS = 1_000;

/** Relays answer out of their memory. */
const FIND_MS = 300;

/** Relays that are asked when the store is away: all of a small cluster, some of a large one. */
const MAX_ASKED = 16;

/** Targets whose holders are remembered for when the store is away. */
const MAX_REMEMBERED = 10_000;

const YES = Uint8Array.of(1);
const NO = Uint8Array.of(0);

/** Longer than any peer id. */
const MAX_PEER_BYTES = 128;

/** Finds the relays that hold a peer's reservation: in the registry, or, while that is away, from the relays themselves and from memory. */
export class Holders {
  readonly #o: HoldersOptions;
  readonly #remembered = new Map<string, readonly string[]>();
  #unanswer: (() => void) | undefined;

  constructor(options: HoldersOptions) {
    this.#o = options;
  }

  start(): void {
    this.#unanswer = this.#o.links.answer(LINK_KINDS.find, (_from, question) => this.#answer(question));
  }

  stop(): void {
    this.#unanswer?.();
  }

  /** Others than this relay, likeliest first. Never rejects. */
  async of(target: PeerId, signal: AbortSignal): Promise<readonly string[]> {
    const peer = target.toString();
    try {
      const holders = await withDeadline(DEADLINE_MS, this.#o.clock, [signal], (limit) => this.#o.registry.holders(peer, limit));
      return this.#remember(peer, holders.filter((relay) => relay !== this.#o.self));
    } catch {
      return signal.aborted ? [] : await this.#withoutStore(peer, signal);
    }
  }

  /** What the relays say themselves is surer than what was so once. */
  async #withoutStore(peer: string, signal: AbortSignal): Promise<readonly string[]> {
    const remembered = this.#remembered.get(peer) ?? [];
    const members = this.#o.links.members();
    const asked = [...new Set([...remembered.filter((relay) => members.includes(relay)), ...members])].slice(0, MAX_ASKED);
    const said = await Promise.all(asked.map((relay) => this.#ask(relay, peer, signal)));
    const holding = asked.filter((_relay, i) => said[i] === true);
    const unsaid = remembered.filter((relay) => !asked.some((other, i) => other === relay && said[i] !== undefined));
    return [...holding, ...unsaid];
  }

  /** `undefined`: it did not say. */
  async #ask(relay: string, peer: string, signal: AbortSignal): Promise<boolean | undefined> {
    const question = new TextEncoder().encode(peer);
    return withDeadline(FIND_MS, this.#o.clock, [signal], (limit) => this.#o.links.ask(relay, LINK_KINDS.find, question, limit)).then(
      (answer) => answer[0] === YES[0],
      () => undefined,
    );
  }

  #answer(question: Uint8Array): Uint8Array {
    if (question.byteLength > MAX_PEER_BYTES) throw new RelaydError('BAD_REQUEST', 'that is no peer id');
    return this.#o.holds(new TextDecoder().decode(question)) ? YES : NO;
  }

  #remember(peer: string, holders: readonly string[]): readonly string[] {
    this.#remembered.delete(peer);
    if (holders.length > 0) this.#remembered.set(peer, holders);
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size > MAX_REMEMBERED && !oldest.done) this.#remembered.delete(oldest.value);
    return holders;
  }
}
