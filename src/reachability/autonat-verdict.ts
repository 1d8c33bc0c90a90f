import type { Reachability, ReachabilityView } from '../lib/contracts.ts';
import type { OwnCandidate } from './autonat-candidates.ts';

/** What one peer found about one address. */
export interface Finding {
  readonly addr: string;
  /** The address's host is a peer's word. */
  readonly guessed: boolean;
  readonly reachable: boolean;
  /** The network that the peer is in. */
  readonly from: string;
  /** The operator named the peer. */
  readonly trusted: boolean;
}

/** What it takes to give up an address that was reachable: one failed dial may be one lost packet. */
const DENIALS = 2;

/** Seven checks of a node that is reachable must have come to nothing, by the longest waits between them. */
const PUBLIC_LASTS_MS = 10 * 60_000;

/** Three checks of one that is not. */
const PRIVATE_LASTS_MS = 45 * 60_000;

interface Word {
  readonly isReachable: boolean;
  readonly atMs: number;
  /** In a row, since it was reachable. */
  readonly denials: number;
}

/** Makes one word of what peers find, round by round: quick to believe, slower to doubt, and forgetful. */
export class Verdict implements ReachabilityView {
  readonly #words = new Map<string, Word>();
  /** What an address must be for its denial to count. */
  #isOwn: (addr: string) => boolean = () => true;
  #acceptsNothing = false;

  get value(): Reachability {
    if (this.confirmed.length > 0) {
      return 'public';
    }
    return this.#acceptsNothing || this.denied.some(this.#isOwn) ? 'private' : 'unknown';
  }

  get confirmed(): string[] {
    return this.#addrs(({ isReachable }) => isReachable);
  }

  get denied(): string[] {
    return this.#addrs(({ isReachable }) => !isReachable);
  }

  /** An address that was reachable has just not been: to be asked again at once. */
  get doubtful(): boolean {
    return this.#addrs(({ isReachable, denials }) => isReachable && denials > 0).length > 0;
  }

  /**
   * Takes the findings of one round of questions.
   *
   * @param candidates the addresses that this node has now: others are forgotten. A guess that failed says nothing where there
   * are addresses of its own.
   */
  round(findings: readonly Finding[], candidates: readonly OwnCandidate[], nowMs: number): void {
    const own = new Set(candidates.filter(({ guessed }) => !guessed).map(({ addr }) => addr.toString()));
    this.#isOwn = (addr) => own.size === 0 || own.has(addr);
    judge(findings).forEach((isReachable, addr) => this.#words.set(addr, isReachable ? { isReachable, atMs: nowMs, denials: 0 } : this.#denied(addr, nowMs)));
    const known = new Set(candidates.map(({ addr }) => addr.toString()));
    for (const [addr, { isReachable, atMs }] of this.#words) {
      if (!known.has(addr) || nowMs - atMs >= (isReachable ? PUBLIC_LASTS_MS : PRIVATE_LASTS_MS)) {
        this.#words.delete(addr);
      }
    }
  }

  /** This node accepts no connections at all: nobody need be asked. */
  unreachable(): void {
    this.#acceptsNothing = true;
  }

  clear(): void {
    this.#words.clear();
    this.#acceptsNothing = false;
  }

  #denied(addr: string, nowMs: number): Word {
    const before = this.#words.get(addr);
    const denials = (before?.denials ?? 0) + 1;
    return before?.isReachable === true && denials < DENIALS ? { ...before, denials } : { isReachable: false, atMs: nowMs, denials };
  }

  #addrs(select: (word: Word) => boolean): string[] {
    return [...this.#words].filter(([, word]) => select(word)).map(([addr]) => addr);
  }
}

/** The majority's word for each address; where there is none, the address is left out. */
function judge(findings: readonly Finding[]): Map<string, boolean> {
  const words = new Map<string, boolean>();
  for (const addr of new Set(findings.map((finding) => finding.addr))) {
    const about = findings.filter((finding) => finding.addr === addr);
    const yes = about.filter(({ reachable }) => reachable);
    const no = about.length - yes.length;
    if (no > yes.length) words.set(addr, false);
    else if (yes.length > no && isBelieved(yes)) words.set(addr, true);
  }
  return words;
}

/** One dial-back proves an address of this node's own. One that a peer made up, and then confirmed, needs a witness. */
function isBelieved(yes: readonly Finding[]): boolean {
  return yes.some(({ guessed, trusted }) => !guessed || trusted) || new Set(yes.map(({ from }) => from)).size > 1;
}
