import type { Connection, PeerId } from '@libp2p/interface';
import type { TimerHandle } from '../lib/clock.ts';
import { toError } from '../lib/errors.ts';
import type { MembershipEnd, TokenVerifier } from '../lib/membership/verifier.ts';
import type { Circuit } from './circuit.ts';
import type { RelayContext } from './context.ts';
import type { Standing } from './membership.ts';

/** The wall clock, which tokens go by, may be stepped: nothing waits for it longer than this. */
const LOOK_AGAIN_MS = 60_000;

interface Ended {
  readonly peer: PeerId;
  readonly end: MembershipEnd;
}

/** What it looks at; the policy in it may change. */
type Watched = Readonly<Pick<RelayContext, 'reservations' | 'circuits' | 'policy' | 'clock' | 'host' | 'log'>>;

/**
 * Ends what members hold when what made them members is over: their reservations, and every circuit from or to them. A peer that has
 * renewed its reservation with another token keeps the circuits that lead to it.
 */
export class MembershipWatch {
  readonly #context: Watched;
  readonly #verifier: TokenVerifier;
  #unlisten: (() => void) | undefined;
  #timer: TimerHandle | undefined;
  /** Unix milliseconds at which the timer is due. */
  #dueAtWall = Infinity;

  constructor(context: Watched, verifier: TokenVerifier) {
    this.#context = context;
    this.#verifier = verifier;
  }

  start(): void {
    this.#unlisten = this.#verifier.onChange(() => this.#look());
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#timer?.cancel();
    this.#dueAtWall = Infinity;
  }

  /** A member has been let in: its token counts this peer from now on, and its end is watched. */
  admitted({ grant }: Standing): void {
    grant?.claim();
    if (grant !== undefined && grant.expiresAtWall < this.#dueAtWall) {
      this.#wakeAt(grant.expiresAtWall);
    }
  }

  #look(): void {
    const ended = this.#endReservations();
    for (const circuit of this.#context.circuits.all()) {
      const end = this.#endOf(circuit, ended);
      if (end !== undefined) circuit.end(end);
    }
    // The protocol has no word for a reservation that ends early: the end of the connection is what a client understands.
    [...ended.values()].flatMap(({ peer }) => this.#context.host.getConnections(peer)).forEach((connection) => void leave(connection));
    this.#wakeAt(this.#firstEnd());
  }

  #endReservations(): Map<string, Ended> {
    const { reservations, policy, log } = this.#context;
    const ended = new Map<string, Ended>();
    for (const { peer, standing } of reservations.all()) {
      const end = policy.membership.endOf(peer, standing);
      if (end === undefined) continue;
      ended.set(peer.toString(), { peer, end });
      log.info({ peer: peer.toString(), tokenId: standing.grant?.tokenId, reason: end }, 'a membership is over');
      reservations.release(peer);
    }
    return ended;
  }

  #endOf({ source, sourceStanding, target, targetStanding }: Circuit, ended: ReadonlyMap<string, Ended>): MembershipEnd | undefined {
    const { policy, reservations } = this.#context;
    const cut = (ended.get(source.toString()) ?? ended.get(target.toString()))?.end ?? policy.membership.endOf(source, sourceStanding);
    // What it holds now counts for a target: what it held then may have been replaced.
    return cut ?? (reservations.get(target) === undefined ? policy.membership.endOf(target, targetStanding) : undefined);
  }

  /** Unix milliseconds. A token that a target has replaced since may be over already. */
  #firstEnd(): number {
    const { reservations, circuits, clock } = this.#context;
    const wall = clock.wall();
    const standings = [...reservations.all().map(({ standing }) => standing), ...circuits.all().flatMap(({ sourceStanding, targetStanding }) => [sourceStanding, targetStanding])];
    return standings.reduce((first, { grant }) => (grant !== undefined && grant.expiresAtWall > wall ? Math.min(first, grant.expiresAtWall) : first), Infinity);
  }

  #wakeAt(wallMs: number): void {
    const { clock } = this.#context;
    this.#timer?.cancel();
    this.#dueAtWall = wallMs;
    this.#timer = Number.isFinite(wallMs) ? clock.setCoarseTimer(() => this.#look(), Math.min(LOOK_AGAIN_MS, Math.max(0, wallMs - clock.wall()))) : undefined;
  }
}

async function leave(connection: Connection): Promise<void> {
  try {
    await connection.close();
  } catch (error) {
    connection.abort(toError(error));
  }
}
