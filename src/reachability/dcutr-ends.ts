import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import type { Hole, HolePuncher, Observation, PunchRole } from '../lib/contracts.ts';
import { firstOf } from '../lib/first-connection.ts';
import { transportOf } from './dcutr-host.ts';

/** Two round trips over any path on Earth and two lost packets; go-libp2p waits as long. */
const CONNECT_MS = 5_000;

interface EndsOptions {
  punchers: readonly HolePuncher[];
  role: PunchRole;
  observations: readonly Observation[];
  /** Which of our addresses others may be told. */
  mayTell: (addr: Multiaddr) => boolean;
}

/** This node's ends for one attempt, over all transports and address families. */
export class Ends {
  readonly #holes: readonly Hole[];
  readonly #role: PunchRole;

  static async open({ punchers, role, observations, mayTell }: EndsOptions): Promise<Ends> {
    const holes = (await Promise.all(punchers.map((puncher) => puncher.open(role, observations)))).flat();
    const usable = holes.filter(({ seenAt }) => mayTell(seenAt));
    holes.filter((hole) => !usable.includes(hole)).forEach((hole) => hole.close());
    return new Ends(usable, role);
  }

  private constructor(holes: readonly Hole[], role: PunchRole) {
    this.#holes = holes;
    this.#role = role;
  }

  /** What the peer is told. */
  get addrs(): Multiaddr[] {
    return this.#holes.map(({ seenAt }) => seenAt);
  }

  /** @throws RelaydError DIAL_FAILED; the signal's reason */
  async connect(peer: PeerId, theirs: readonly Multiaddr[], clock: Clock, signal: AbortSignal): Promise<Connection> {
    const ways = this.#holes.flatMap((hole) => {
      const addrs = theirs.filter((addr) => kindOf(addr) === kindOf(hole.seenAt));
      return addrs.length === 0 ? [] : [(limit: AbortSignal): Promise<Connection> => hole.connect(peer, addrs, limit)];
    });
    if (ways.length === 0) {
      throw new Error('the two peers have no kind of address in common');
    }
    // The client chooses: the peer whose circuit it was.
    return await firstOf(ways, { ms: CONNECT_MS, clock, signal, chooses: this.#role === 'client' });
  }

  close(): void {
    this.#holes.forEach((hole) => hole.close());
  }
}

/** Family and transport. */
function kindOf(addr: Multiaddr): string {
  return `${addr.getComponents()[0]?.name}/${transportOf(addr)}`;
}
