import type { Clock, TimerHandle } from '../lib/clock.ts';
import { abortable, deadline, sleep } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import { LINK_KINDS } from './links.ts';
import type { Links } from './links.ts';

export interface FindLinksOptions {
  readonly links: Pick<Links, 'ask' | 'answer'>;
  /** Whether this relay holds a reservation of the peer's. */
  readonly holds: (peer: string) => boolean;
  readonly clock: Clock;
}

/** Relays that are asked at first, those before all that are likely to say yes: all of a small cluster. */
const FIRST = 16;
/** Relays answer out of their memory: when none of the first has said yes by then, all are asked. */
const FIRST_MS = 300;

/** When one has said yes the others have so long to say so too: a peer has one reservation, or a few. */
const OTHERS_MS = 100;
/** That nobody holds it is known when all have said so. One that is busy takes longer; one that is frozen is linked no more after 3 s. */
const PATIENT_MS = 2_000;

const YES = Uint8Array.of(1);
const NO = Uint8Array.of(0);

/** Longer than any peer id. */
const MAX_PEER_BYTES = 128;

/** Relays ask each other which peers they hold, over their links. */
export class FindLinks {
  readonly #o: FindLinksOptions;
  #unanswer: (() => void) | undefined;

  constructor(options: FindLinksOptions) {
    this.#o = options;
  }

  start(): void {
    this.#unanswer = this.#o.links.answer(LINK_KINDS.find, (_from, question) => this.#answer(question));
  }

  stop(): void {
    this.#unanswer?.();
  }

  /** What each of `relays`, likeliest first, has said; those that said nothing are not in it. Never rejects. */
  async ask(relays: readonly string[], peer: string, signal: AbortSignal): Promise<ReadonlyMap<string, boolean>> {
    const { clock } = this.#o;
    const said = new Map<string, boolean>();
    const enough = new AbortController();
    let timer: TimerHandle | undefined;
    const hears = (relay: string, holds: boolean): void => {
      said.set(relay, holds);
      if (holds) timer ??= clock.setTimer(() => enough.abort(new RelaydError('TIMEOUT', 'another relay holds it')), OTHERS_MS);
    };
    const limit = deadline(PATIENT_MS, clock, signal, enough.signal);
    const askAll = (some: readonly string[]): Promise<unknown> => Promise.all(some.map((relay) => this.#askOne(relay, peer, limit.signal, hears)));
    const first = askAll(relays.slice(0, FIRST));
    if (relays.length > FIRST) await Promise.race([first, sleep(FIRST_MS, clock, limit.signal)]);
    await Promise.all([first, timer === undefined ? askAll(relays.slice(FIRST)) : undefined]);
    timer?.cancel();
    enough.abort(new RelaydError('CLOSED', 'all have been asked'));
    limit.clear();
    return said;
  }

  async #askOne(relay: string, peer: string, signal: AbortSignal, hears: (relay: string, holds: boolean) => void): Promise<void> {
    const question = new TextEncoder().encode(peer);
    try {
      const answer = await abortable(this.#o.links.ask(relay, LINK_KINDS.find, question, signal), signal);
      hears(relay, answer[0] === YES[0]);
    } catch {
      // It has not said.
    }
  }

  #answer(question: Uint8Array): Uint8Array {
    if (question.byteLength > MAX_PEER_BYTES) throw new RelaydError('BAD_REQUEST', 'that is no peer id');
    return this.#o.holds(new TextDecoder().decode(question)) ? YES : NO;
  }
}
