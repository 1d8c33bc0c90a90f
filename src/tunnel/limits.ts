/** Every number of the tunnels, in one place, with the reason for it. Times in milliseconds. */
export interface TunnelLimits {
  /** Finding a way to the peer: relays are raced, a hole punch may be tried. */
  readonly dialMs: number;
  /** Negotiating the protocol on a stream; a connection that says nothing for so long is taken for dead. */
  readonly openMs: number;
  /** Reading a request: it is sent with the stream, so only a slow path takes long. */
  readonly requestMs: number;
  /** Connecting to the exposed service. */
  readonly connectMs: number;
  /** Waiting for the answer; longer than `connectMs`, so that "unreachable" arrives. */
  readonly answerMs: number;
  /** From the TCP connection to the first byte, with the second attempt; what a local program is kept waiting at most. */
  readonly setUpMs: number;
  /** Letting the other side read a refusal before the stream is reset. */
  readonly lingerMs: number;
  /** While the node drains: a connection that has moved nothing for so long is not waited for. A transfer's pauses are shorter, those of idle connections have no end. */
  readonly quietMs: number;
  /** Connections of one tunnel, those being set up included. One descriptor each, of the 65,536 that the unit file asks for. */
  readonly socketsPerTunnel: number;
  /** Streams of peers on some allow-list, or with a token that was good before, whose request is being read. */
  readonly pendingKnown: number;
  /** The same for anyone else: they are refused, but for who shows a token for the first time, so a small pool that cannot starve the others. */
  readonly pendingStrangers: number;
}

export const TUNNEL_LIMITS: TunnelLimits = {
  dialMs: 15_000,
  openMs: 10_000,
  requestMs: 10_000,
  connectMs: 10_000,
  answerMs: 12_000,
  setUpMs: 30_000,
  lingerMs: 5_000,
  quietMs: 3_000,
  socketsPerTunnel: 1024,
  pendingKnown: 1024,
  pendingStrangers: 64,
};

/** Streams of the protocol on one connection and direction (the library's default is 32 and 64). */
export const MAX_STREAMS_PER_CONNECTION = 4096;

/** Idle time before TCP asks whether the other end is still there; below the 60 s at which many home routers forget. */
export const KEEP_ALIVE_MS = 30_000;

/**
 * While more than this waits for a socket the far side gets no more window credit. One socket buffer's worth:
 * enough that the socket never waits for us on a fast path.
 */
export const HOLD_BYTES = 64 * 1024;

/**
 * What may wait for one socket at most. In practice the muxer's window decides (256 KiB unless the config says more); the largest
 * that the stock muxer grows to is 16 MiB, so only one that breaks its own rules gets here, and its tunnel is reset.
 */
export const MAX_HELD_BYTES = 17 * 1024 * 1024;
