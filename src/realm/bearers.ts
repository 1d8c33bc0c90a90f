import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { RealmFolder } from './folder.ts';
import { KeptFile } from './kept-file.ts';

const VERSION = 1;

/** Peers of all bearer tokens that have not ended: about a megabyte on disk. Only the authority's tokens get here. */
const MAX_PEERS = 10_000;

/** As long as there are no more, tokens that have ended are kept too: by a clock that was wrong for an hour all have, and used up ones would be good again after. */
const FEW_PEERS = 1000;

const file = z.strictObject({
  version: z.literal(VERSION),
  tokens: z.array(z.strictObject({ id: z.string(), expiresAt: z.iso.datetime(), peers: z.array(z.string()) })),
});

interface Used {
  readonly expiresAtWall: number;
  readonly peers: Set<string>;
}

/** What of a bearer token matters here. */
export interface BearerToken {
  readonly id: string;
  readonly maxPeers: number;
  /** Unix milliseconds: it may be forgotten then. */
  readonly expiresAtWall: number;
}

export interface BearersOptions {
  readonly folder: RealmFolder;
  readonly clock: Pick<Clock, 'wall'>;
  readonly log: Logger;
}

function countOf(used: ReadonlyMap<string, Used>): number {
  return [...used.values()].reduce((sum, { peers }) => sum + peers.size, 0);
}

/** Which peers have used which bearer token on this node, also before its last start: a token for one is for the first that comes with it. */
export class Bearers {
  readonly #o: BearersOptions;
  readonly #file: KeptFile;
  #used = new Map<string, Used>();
  #count = 0;

  constructor(options: BearersOptions) {
    this.#o = options;
    const { folder, log } = options;
    this.#file = new KeptFile({ folder, path: folder.bearersFile, log, content: () => this.#content(), otherwise: 'after a restart, bearer tokens that are used up can be used again' });
  }

  /** @throws RelaydError FILE_UNREADABLE when there is a file that cannot be used: tokens that are used up would be good again without it */
  async load(): Promise<void> {
    const { bearersFile } = this.#o.folder;
    try {
      const { tokens } = file.parse(JSON.parse(await readFile(bearersFile, 'utf8')));
      this.#used = new Map(tokens.map(({ id, expiresAt, peers }) => [id, { expiresAtWall: Date.parse(expiresAt), peers: new Set(peers) }]));
      this.#count = countOf(this.#used);
      if (this.#count > FEW_PEERS) this.#forgetEnded();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw new RelaydError('FILE_UNREADABLE', `${bearersFile} is damaged, or cannot be read: it says who has used which bearer token here; restore it, or revoke the bearer tokens that are out and move it away`, { cause });
    }
  }

  /** Whether `peer` has used the token, or may be one more that does. */
  hasRoom({ id, maxPeers }: BearerToken, peer: string): boolean {
    const peers = this.#used.get(id)?.peers;
    return peers?.has(peer) === true || ((peers?.size ?? 0) < maxPeers && !this.#isFull());
  }

  /** Counts `peer` as one that has used the token; `false` when there was no room for it any more. It is written down at once. */
  claim(token: BearerToken, peer: string): boolean {
    if (!this.hasRoom(token, peer)) return false;
    const used = this.#used.get(token.id) ?? { expiresAtWall: token.expiresAtWall, peers: new Set<string>() };
    if (!used.peers.has(peer)) {
      used.peers.add(peer);
      this.#used.set(token.id, used);
      this.#count++;
      if (this.#count > FEW_PEERS) this.#forgetEnded();
      this.#file.changed();
    }
    return true;
  }

  /** Resolves when everything is written, or could not be. */
  stop(): Promise<void> {
    return this.#file.stop();
  }

  #isFull(): boolean {
    if (this.#count < MAX_PEERS) return false;
    this.#forgetEnded();
    if (this.#count < MAX_PEERS) return false;
    this.#o.log.warn({ file: this.#o.folder.bearersFile, peers: this.#count }, 'no more users of bearer tokens can be kept: a new one is refused until a token ends');
    return true;
  }

  #forgetEnded(): void {
    const now = this.#o.clock.wall();
    this.#used = new Map([...this.#used].filter(([, { expiresAtWall }]) => expiresAtWall > now));
    this.#count = countOf(this.#used);
  }

  #content(): string {
    const tokens = [...this.#used].map(([id, { expiresAtWall, peers }]) => ({ id, expiresAt: new Date(expiresAtWall).toISOString(), peers: [...peers] }));
    return `${JSON.stringify({ version: VERSION, tokens }, undefined, 1)}\n`;
  }
}
