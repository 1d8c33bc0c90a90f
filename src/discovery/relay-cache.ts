import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { TimerHandle } from '../lib/clock.ts';
import type { KnownRelay } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private-file.ts';
import { MAX_FOUND, foundPeer } from './found.ts';
import type { IsUsable } from './found.ts';
import type { PartOptions } from './parts.ts';

const FILE = 'relays.json';
const VERSION = 1;

/** A relay that has not served for so long is most likely gone, or has another address. */
const MAX_AGE_MS = 30 * 24 * 3_600_000;

/** Several times what {@link MAX_FOUND} relays need; a larger file is not one of ours. */
const MAX_FILE_BYTES = 256 * 1024;

/** Reservations come and go in groups: one write for all of them. */
const SAVE_AFTER_MS = 5_000;

export interface RelayCacheOptions extends Omit<PartOptions, 'random'> {
  readonly dataDir: string;
  readonly isUsable: IsUsable;
  /** What is to be kept, when it is written. */
  readonly known: () => readonly KnownRelay[];
}

/** As the file has it. */
interface Entry {
  peer: string;
  addrs: string[];
  /** Unix milliseconds. */
  lastServedAt: number;
  availability: number;
}

/** The relays that have served this node, on disk: where all that names relays is down, it comes back by them. */
export class RelayCache {
  readonly #o: RelayCacheOptions;
  readonly #path: string;
  #timer: TimerHandle | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(options: RelayCacheOptions) {
    this.#o = options;
    this.#path = join(options.dataDir, FILE);
  }

  /** A file that cannot be used is moved aside and said; then there is none. */
  async load(): Promise<KnownRelay[]> {
    try {
      const text = await readUpTo(this.#path, MAX_FILE_BYTES);
      return text === undefined ? [] : this.#usable(parse(text));
    } catch (error) {
      const aside = `${this.#path}.damaged`;
      const moved = await rename(this.#path, aside).then(() => true, () => false);
      this.#o.log.warn({ file: this.#path, error: errorMessage(error), ...(moved ? { aside } : {}) }, 'the file of known relays is damaged: it is not used, and a new one will be written');
      return [];
    }
  }

  /** What is known has changed: it is written in a moment. */
  changed(): void {
    this.#timer ??= this.#o.clock.setTimer(() => {
      this.#timer = undefined;
      this.#saving = this.#saving.then(() => this.#save());
    }, SAVE_AFTER_MS);
  }

  /** Writes at once what waits to be written. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) {
      this.#timer.cancel();
      this.#timer = undefined;
      this.#saving = this.#saving.then(() => this.#save());
    }
    await this.#saving;
  }

  #usable(entries: readonly Entry[]): KnownRelay[] {
    const oldest = this.#o.clock.wall() - MAX_AGE_MS;
    const young = entries.filter(({ lastServedAt }) => lastServedAt >= oldest).slice(0, MAX_FOUND);
    return young.flatMap(({ peer, addrs, lastServedAt, availability }) => {
      const found = foundPeer(peerIdFromString(peer), addrs.map((addr) => multiaddr(addr)), this.#o.isUsable);
      return found === undefined ? [] : [{ ...found, lastServedAtWall: lastServedAt, availability }];
    });
  }

  /** Never throws: what cannot be written now is written with the next change. */
  async #save(): Promise<void> {
    const { known, clock, metrics, log } = this.#o;
    const oldest = clock.wall() - MAX_AGE_MS;
    const kept = known().filter(({ lastServedAtWall }) => lastServedAtWall >= oldest).toSorted((a, b) => b.lastServedAtWall - a.lastServedAtWall);
    try {
      await writePrivateFile(this.#path, format(kept.slice(0, MAX_FOUND)));
      this.#isFailing = false;
      metrics.saved('ok');
    } catch (error) {
      metrics.saved('failed');
      if (!this.#isFailing) log.warn({ file: this.#path, error: errorMessage(error) }, 'the relays that have served could not be written down: after a restart this node has only those of its configuration to begin with');
      this.#isFailing = true;
    }
  }
}

function format(relays: readonly KnownRelay[]): string {
  const entries: Entry[] = relays.map(({ peer, addrs, lastServedAtWall, availability }) => ({ peer: peer.toString(), addrs: addrs.map(String), lastServedAt: lastServedAtWall, availability }));
  return `${JSON.stringify({ version: VERSION, relays: entries }, undefined, 1)}\n`;
}

/** @throws Error that says what is wrong */
function parse(text: string): Entry[] {
  const { version, relays } = JSON.parse(text) as { version?: unknown; relays?: unknown };
  if (version !== VERSION || !Array.isArray(relays)) {
    throw new Error(`not a file of known relays, version ${VERSION}`);
  }
  relays.forEach((entry: unknown) => check(entry as Partial<Record<keyof Entry, unknown>>));
  return relays as Entry[];
}

function check({ peer, addrs, lastServedAt, availability }: Partial<Record<keyof Entry, unknown>>): void {
  if (typeof peer !== 'string' || typeof lastServedAt !== 'number' || typeof availability !== 'number' || !Array.isArray(addrs)) {
    throw new Error('a relay without peer, addrs, lastServedAt or availability');
  }
  peerIdFromString(peer);
  addrs.forEach((addr: unknown) => multiaddr(addr as string));
}

/** @returns `undefined` when there is no such file. @throws Error when it is larger or cannot be read */
async function readUpTo(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)));
  if (file === undefined) {
    return undefined;
  }
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`${size} bytes are more than such a file has`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
