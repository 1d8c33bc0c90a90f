import type { MultiaddrConnection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';

/** Why a handshake gave way: its peer has sent nothing at all, or takes far too long. */
export const EVICTIONS = ['silent', 'slow'] as const;
export type Eviction = (typeof EVICTIONS)[number];

/**
 * A peer that dials speaks first, with the packet that follows its SYN. Long enough for that packet to be lost and sent again over a
 * round trip of 150 ms; short enough that silent sockets fill 16 places only at 32 a second.
 */
const SILENT_MS = 500;

/** Half of what libp2p grants a handshake, which is four round trips: 1 s each, which no path on Earth needs. */
const SLOW_MS = 5_000;

interface Handshake {
  readonly connection: MultiaddrConnection;
  readonly prefixes: readonly string[];
  readonly since: number;
  /** Its peer has sent something. */
  heard: boolean;
}

/** The inbound handshakes under way, and which of them give way when a prefix has no room for one more. */
export class Handshakes {
  readonly #clock: Clock;
  readonly #all = new Map<MultiaddrConnection, Handshake>();
  /** By prefix, the oldest first. */
  readonly #perPrefix = new Map<string, Set<Handshake>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#all.size;
  }

  begin(connection: MultiaddrConnection, prefixes: readonly string[]): void {
    const handshake = { connection, prefixes, since: this.#clock.now(), heard: false };
    hearFirstBytes(connection, () => (handshake.heard = true));
    this.#all.set(connection, handshake);
    for (const prefix of prefixes) {
      const others = this.#perPrefix.get(prefix);
      if (others === undefined) this.#perPrefix.set(prefix, new Set([handshake]));
      else others.add(handshake);
    }
  }

  /** Over, one way or the other; may be called again. */
  end(connection: MultiaddrConnection): void {
    const handshake = this.#all.get(connection);
    this.#all.delete(connection);
    for (const prefix of handshake?.prefixes ?? []) {
      const others = this.#perPrefix.get(prefix);
      if (handshake !== undefined) others?.delete(handshake);
      if (others?.size === 0) this.#perPrefix.delete(prefix);
    }
  }

  /**
   * The handshakes that have to go for one more from `prefixes`, none of which may have more than `max`: for each full prefix its oldest
   * that is silent, else its oldest that is slow. `undefined` when all of a prefix are in good order: then the newcomer is one too many.
   * An honest crowd sends its first bytes at once, so it never gives way to the sockets of an idler.
   */
  inTheWay(prefixes: readonly string[], max: number): Map<MultiaddrConnection, Eviction> | undefined {
    const chosen = new Map<Handshake, Eviction>();
    for (const prefix of prefixes) {
      const left = [...(this.#perPrefix.get(prefix) ?? [])].filter((handshake) => !chosen.has(handshake));
      if (left.length < max) continue;
      const [handshake, why] = this.#expendable(left) ?? [];
      if (handshake === undefined || why === undefined) return undefined;
      chosen.set(handshake, why);
    }
    return new Map([...chosen].map(([{ connection }, why]) => [connection, why]));
  }

  #expendable(oldestFirst: readonly Handshake[]): [Handshake, Eviction] | undefined {
    const now = this.#clock.now();
    const silent = oldestFirst.find(({ heard, since }) => !heard && now - since >= SILENT_MS);
    if (silent !== undefined) {
      return [silent, 'silent'];
    }
    const [oldest] = oldestFirst;
    return oldest !== undefined && now - oldest.since >= SLOW_MS ? [oldest, 'slow'] : undefined;
  }
}

/**
 * Calls `heard` when the first bytes arrive. A listener for a connection's data would take them from the handshake, so its way in is watched:
 * what every TCP connection of libp2p is made of. One without it is given the benefit of the doubt.
 */
function hearFirstBytes(connection: MultiaddrConnection, heard: () => void): void {
  const stream = connection as { onData?: (data: Uint8Array) => void };
  const { onData } = stream;
  if (onData === undefined) {
    heard();
    return;
  }
  stream.onData = function onFirstData(data) {
    stream.onData = onData;
    heard();
    onData.call(connection, data);
  };
}
