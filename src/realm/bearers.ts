import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { BearerClaim, SharedClaims, ToldClaims } from '../lib/membership/bearer-claims.ts';
import { formatBearers, parseBearers } from './bearers-file.ts';
import { Claims } from './claims.ts';
import type { BearerToken, KnownClaim } from './claims.ts';
import type { RealmFolder } from './folder.ts';
import { KeptFile } from './kept-file.ts';

/** Peers of all bearer tokens that have not ended: a megabyte or two on disk. Only the authority's tokens get here, and what relays of the cluster tell. */
const MAX_PEERS = 10_000;

/** As long as there are no more, tokens that have ended are kept too: by a clock that was wrong for an hour all have, and used up ones would be good again after. */
const FEW_PEERS = 1000;

/** What became of a claim: made here, taken over from another relay, or in vain, because others elsewhere were there before it. */
export const CLAIM_OUTCOMES = ['made', 'taken', 'displaced'] as const;
export type ClaimOutcome = (typeof CLAIM_OUTCOMES)[number];

export interface BearersOptions {
  readonly folder: RealmFolder;
  readonly clock: Pick<Clock, 'wall'>;
  readonly log: Logger;
  /** Claims are shared with other relays, so that it matters when they were made. */
  readonly inCluster: boolean;
  /** Peers that had a place have none any more: what was given to them is over. */
  readonly onDisplaced: () => void;
  readonly onOutcome: (outcome: ClaimOutcome, count: number) => void;
}

interface Digest {
  readonly revision: number;
  readonly bytes: Uint8Array;
  /** Unix milliseconds: between these times no token that counts in it ends. */
  readonly from: number;
  readonly until: number;
}

/**
 * Which peers have used which bearer token, here and at the other relays of the cluster, also before the last start: a token for one is for the first that
 * comes with it.
 */
export class Bearers implements SharedClaims {
  readonly #o: BearersOptions;
  readonly #file: KeptFile;
  readonly #listeners = new Set<() => void>();
  #claims = new Claims();
  #digest: Digest | undefined;
  #wasFull = false;

  constructor(options: BearersOptions) {
    this.#o = options;
    const { folder, log } = options;
    const content = (): string => formatBearers(this.#claims.all());
    this.#file = new KeptFile({ folder, path: folder.bearersFile, log, content, otherwise: 'after a restart, bearer tokens that are used up can be used again' });
  }

  /** @throws RelaydError FILE_UNREADABLE when there is a file that cannot be used: tokens that are used up would be good again without it */
  async load(): Promise<void> {
    const { bearersFile } = this.#o.folder;
    const text = await readFile(bearersFile, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw damaged(bearersFile, cause);
    });
    if (text === undefined) return;
    const claims = new Claims();
    try {
      parseBearers(text).forEach((claim) => claims.add(claim, false));
    } catch (cause) {
      throw damaged(bearersFile, cause);
    }
    this.#claims = claims;
    this.#digest = undefined;
    this.#forgetEndedOfMany();
  }

  /** Whether `peer` has used the token, or may be one more that does. */
  hasRoom(token: BearerToken, peer: string): boolean {
    this.#claims.settle(token);
    return this.has(token.id, peer) || (this.#claims.usersOf(token.id) < token.maxPeers && !this.#isFull());
  }

  /** Whether `peer` is one of those that the token is for. */
  has(tokenId: string, peer: string): boolean {
    return this.#claims.has(tokenId, peer);
  }

  /** Counts `peer` as one that has used the token; `false` when there was no room for it any more. It is written down, and told, at once. */
  claim(token: BearerToken, peer: string): boolean {
    if (!this.hasRoom(token, peer)) return false;
    if (this.has(token.id, peer)) return true;
    const { clock, inCluster, onOutcome } = this.#o;
    const { id, expiresAtWall, maxPeers } = token;
    const claimedAtWall = this.#claims.timeFor(token, inCluster ? clock.wall() : 0);
    this.#claims.add({ token: id, peer, claimedAtWall, expiresAtWall, maxPeers }, true);
    onOutcome('made', 1);
    this.#changed();
    this.#listeners.forEach((listener) => listener());
    return true;
  }

  /** Resolves when everything is written, or could not be. */
  stop(): Promise<void> {
    return this.#file.stop();
  }

  // For the other relays of the cluster.

  get revision(): number {
    return this.#claims.revision;
  }

  after({ upTo, othersUpTo }: ToldClaims, most: number): { claims: readonly BearerClaim[]; revision: number } | undefined {
    const untold = this.#lasting().filter(({ revision, isOwn }) => revision > upTo && (isOwn || revision <= othersUpTo));
    const claims = untold.toSorted((one, other) => one.revision - other.revision).slice(0, most);
    const last = claims.at(-1);
    return last === undefined ? undefined : { claims, revision: last.revision };
  }

  digest(): Uint8Array {
    const [now, revision] = [this.#o.clock.wall(), this.#claims.revision];
    const known = this.#digest;
    if (known !== undefined && known.revision === revision && now >= known.from && now < known.until) return known.bytes;
    const claims = this.#lasting();
    const lines = claims.map(({ token, peer, claimedAtWall, maxPeers }) => `${token} ${peer} ${claimedAtWall} ${maxPeers ?? 0}\n`).sort();
    const bytes = new Uint8Array(createHash('sha256').update(lines.join('')).digest());
    this.#digest = { revision, bytes, from: now, until: claims.reduce((first, { expiresAtWall }) => Math.min(first, expiresAtWall), Infinity) };
    return bytes;
  }

  take(claims: readonly BearerClaim[]): void {
    // Looked at once for all, and before anything is counted, for it forgets what has ended: a relay may tell of thousands.
    const most = this.#isFull() ? 0 : MAX_PEERS;
    const [count, revision] = [this.#claims.count, this.#claims.revision];
    const displaced = this.#add(claims, most);
    if (this.#claims.revision === revision) return;
    this.#o.onOutcome('taken', this.#claims.count - count + displaced.length);
    this.#changed();
    if (displaced.length > 0) this.#lost(displaced);
  }

  onClaim(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @returns the peers that are displaced by others */
  #add(claims: readonly BearerClaim[], most: number): string[] {
    const now = this.#o.clock.wall();
    return claims.flatMap((claim) => {
      const isKept = claim.expiresAtWall > now && (this.has(claim.token, claim.peer) || this.#claims.count < most);
      return isKept ? this.#claims.add(claim, false) : [];
    });
  }

  #lost(displaced: readonly string[]): void {
    const { log, onDisplaced, onOutcome } = this.#o;
    onOutcome('displaced', displaced.length);
    log.info({ peers: displaced.length }, 'peers that bearer tokens had let in were not the first over the cluster: what they have by them is over');
    onDisplaced();
  }

  #lasting(): KnownClaim[] {
    const now = this.#o.clock.wall();
    return [...this.#claims.all()].filter(({ expiresAtWall }) => expiresAtWall > now);
  }

  #changed(): void {
    this.#forgetEndedOfMany();
    this.#file.changed();
  }

  #forgetEndedOfMany(): void {
    if (this.#claims.count > FEW_PEERS) this.#claims.forgetEnded(this.#o.clock.wall());
  }

  #isFull(): boolean {
    if (this.#claims.count >= MAX_PEERS) this.#claims.forgetEnded(this.#o.clock.wall());
    const [was, is] = [this.#wasFull, this.#claims.count >= MAX_PEERS];
    this.#wasFull = is;
    if (is && !was) this.#sayFull();
    return is;
  }

  #sayFull(): void {
    this.#o.log.warn({ file: this.#o.folder.bearersFile, peers: this.#claims.count }, 'no more users of bearer tokens can be kept: a new one is refused until a token ends');
  }
}

function damaged(file: string, cause: unknown): RelaydError {
  return new RelaydError('FILE_UNREADABLE', `${file} is damaged, or cannot be read: it says who has used which bearer token here; restore it, or revoke the bearer tokens that are out and move it away`, { cause });
}
