import type { PeerId, Stream } from '@libp2p/interface';
import type { RelaydError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';

/** Connections that are kept to the cluster's other relays, each of which has shown that it knows the cluster's secret. */
export interface Links extends Part {
  /** Relays that are connected and authenticated now, this one excluded. */
  members(): readonly string[];
  isMember(peer: PeerId): boolean;
  /** Hears who comes and goes. The result ends that. */
  onChange(listener: (relay: string, isMember: boolean) => void): () => void;
  /** Hears of each link that stands, and that comes to stand, also of one that takes the place of another to the same relay. The result ends that. */
  onLink(listener: (link: StandingLink) => void): () => void;
  /** Relays to be connected to, beside those of the configuration: what the registry knows. They are dialled wherever they lead, again and again with backoff. */
  want(relays: readonly LinkTarget[]): void;
  /** The relays that the configuration names, this one excluded. */
  configured(): readonly ConfiguredRelay[];
  /**
   * Asks one relay.
   *
   * @throws RelaydError CLOSED when there is no link or `signal` aborts, BAD_REQUEST when the other side refuses
   */
  ask(relay: string, kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** Answers what others ask; one handler a kind. The result ends that. */
  answer(kind: LinkKind, handler: LinkHandler): () => void;
  /** A stream of another protocol on the connection of a link. @throws RelaydError CLOSED, TIMEOUT */
  openStream(relay: string, protocol: string, signal: AbortSignal): Promise<Stream>;
  /** Smoothed round trip in milliseconds; `undefined` where there is no link. */
  rttMs(relay: string): number | undefined;
  /** How its wall clock differs from this one's; `undefined` where there is no link, or it does not tell its time. */
  skew(relay: string): ClockSkew | undefined;
}

/** How far another relay's wall clock is ahead of this one's, and how wrong that may be at most; milliseconds. */
export interface ClockSkew {
  readonly aheadMs: number;
  readonly errorMs: number;
}

/** One link, whichever stands later. */
export interface StandingLink {
  readonly peer: string;
  /** @throws as {@link Links.ask} */
  ask(kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** Ends it with its connection: who is behind that is linked to no more. */
  cut(why: RelaydError): void;
}

export interface ConfiguredRelay {
  readonly peer: string;
  /** It answered lately, and one of the two does not accept the other's proof: their secret or the name of their cluster differs. */
  readonly isRefused: boolean;
}

export interface LinkTarget {
  readonly peer: string;
  /** Full addresses. */
  readonly addrs: readonly string[];
}

/** `from` has been authenticated. What it throws is told to the asker as a refusal without its text. */
export type LinkHandler = (from: string, question: Uint8Array, signal: AbortSignal) => Promise<Uint8Array> | Uint8Array;

/** Who owns each kind of question. Bounded by MAX_LINK_FRAME_BYTES. */
export const LINK_KINDS = { sync: 1, news: 2, shares: 3, find: 4, revocations: 5, bearers: 6, run: 7 } as const;
export type LinkKind = (typeof LINK_KINDS)[keyof typeof LINK_KINDS];

/** A question or answer. */
export const MAX_LINK_FRAME_BYTES = 1 << 20;
