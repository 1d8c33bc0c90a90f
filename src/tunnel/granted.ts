import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Grant, MembershipEnd, TokenVerifier } from '../lib/membership/verifier.ts';

/** How late the end of a token may be noticed; of a revocation it is told at once. */
const LOOK_EVERY_MS = 1_000;

const ENDS: Readonly<Record<MembershipEnd, string>> = {
  revoked: 'was revoked',
  'token expired': 'has expired',
  'token used up': 'is used up: other peers were the first with it',
};

/** The sessions that were admitted by a token: each is cut when its token is over. */
export class Granted {
  readonly #verifier: TokenVerifier;
  readonly #clock: Clock;
  readonly #sessions = new Map<(reason: RelaydError) => void, Grant>();
  #unlisten: (() => void) | undefined;
  #timer: TimerHandle | undefined;

  constructor(verifier: TokenVerifier, clock: Clock) {
    this.#verifier = verifier;
    this.#clock = clock;
  }

  start(): void {
    this.#unlisten ??= this.#verifier.onChange(() => this.#look());
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Calls `cut` when `grant` is over. Returns how to end that. */
  watch(grant: Grant, cut: (reason: RelaydError) => void): () => void {
    this.#sessions.set(cut, grant);
    this.#timer ??= this.#later();
    return () => this.#sessions.delete(cut);
  }

  #later(): TimerHandle {
    return this.#clock.setCoarseTimer(() => {
      this.#timer = undefined;
      this.#look();
      if (this.#sessions.size > 0) this.#timer = this.#later();
    }, LOOK_EVERY_MS);
  }

  #look(): void {
    for (const [cut, grant] of this.#sessions) {
      const end = this.#verifier.endOf(grant);
      if (end === undefined) continue;
      this.#sessions.delete(cut);
      cut(new RelaydError('TUNNEL_REFUSED', `the token ${grant.tokenId}, by which the peer was admitted, ${ENDS[end]}`));
    }
  }
}

/** The failure of a session that was cut because its token is over; `undefined` for one that ends for any other reason of ours. */
export function cutByToken({ aborted, reason }: AbortSignal): RelaydError | undefined {
  return aborted && reason instanceof RelaydError && reason.code === 'TUNNEL_REFUSED' ? reason : undefined;
}
