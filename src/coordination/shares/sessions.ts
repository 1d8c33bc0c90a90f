import type { Stamp } from './messages.ts';

interface Session {
  readonly instance: number;
  readonly session: number;
  /** Of all sessions of all borrowers, in order. */
  readonly round: number;
  /** The sequence number that is due. */
  next: number;
  /** The digest of the view that the borrower had when its report was whole. */
  reported: number | undefined;
  /** The number of this relay's view for which that report was settled; -1 for none. */
  takenAt: number;
  /** The same of any report of the borrower's; -1 for none. */
  settledAt: number;
}

/** What each borrower has said so far. What comes out of order or from a session that is over is not taken. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  #rounds = 0;

  /** The round of the borrower's session when `stamp` is the next message of it; `undefined`: it is to begin anew. */
  take(borrower: string, stamp: Stamp, isReport: boolean): number | undefined {
    const held = this.#sessions.get(borrower);
    const session = held !== undefined && isSame(held, stamp) ? held : isReport ? this.#begin(borrower, held, stamp) : undefined;
    if (session?.next !== stamp.sequence) {
      return undefined;
    }
    session.next++;
    return session.round;
  }

  /** Whether what was asked in `stamp`'s session may still be granted. */
  isCurrent(borrower: string, stamp: Stamp): boolean {
    const held = this.#sessions.get(borrower);
    return held !== undefined && isSame(held, stamp);
  }

  /** The report is whole. */
  reported(borrower: string, view: number): void {
    const session = this.#sessions.get(borrower);
    if (session !== undefined) session.reported = view;
  }

  /**
   * The report of `borrower` holds for this relay's view, when both had the same: what it did not name it does not hold.
   *
   * @returns the round of the report, once a report and view
   */
  settle(borrower: string, digest: number, viewNumber: number): number | undefined {
    const session = this.#sessions.get(borrower);
    if (session === undefined || session.reported !== digest || session.takenAt === viewNumber) {
      return undefined;
    }
    session.takenAt = viewNumber;
    session.settledAt = viewNumber;
    return session.round;
  }

  /** The number of the last view for which all that `borrower` holds is known; -1 for none. */
  settledAt(borrower: string): number {
    return this.#sessions.get(borrower)?.settledAt ?? -1;
  }

  /** Of the borrower's session; 0 without one. */
  round(borrower: string): number {
    return this.#sessions.get(borrower)?.round ?? 0;
  }

  borrowers(): string[] {
    return [...this.#sessions.keys()];
  }

  drop(borrower: string): void {
    this.#sessions.delete(borrower);
  }

  clear(): void {
    this.#sessions.clear();
  }

  /** A session begins with a report, and never before one that has begun after it. What was settled before stays so until the new report is whole. */
  #begin(borrower: string, held: Session | undefined, { instance, session, sequence }: Stamp): Session | undefined {
    const isOld = held !== undefined && held.instance === instance && session <= held.session;
    if (isOld || sequence !== 0) {
      return undefined;
    }
    const begun = { instance, session, round: ++this.#rounds, next: 0, reported: undefined, takenAt: -1, settledAt: held?.settledAt ?? -1 };
    this.#sessions.set(borrower, begun);
    return begun;
  }
}

function isSame(held: Session, { instance, session }: Stamp): boolean {
  return held.instance === instance && held.session === session;
}
