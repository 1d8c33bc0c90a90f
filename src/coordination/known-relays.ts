import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { writePrivateFile } from '../lib/private-file.ts';

/** No file of ours is longer; one that is was not written by us. */
const MAX_KNOWN = 1024;

/**
 * The relays that are known, kept from one run to the next: a relay that is started while it is cut off from the others must not take itself for
 * the only one, and every limit for its own.
 */
export class KnownRelays {
  readonly #file: string;
  readonly #log: Logger;
  #saved = '';
  #work: Promise<void> = Promise.resolve();

  constructor(dataDir: string, log: Logger) {
    this.#file = join(dataDir, 'cluster-relays');
    this.#log = log;
  }

  /** Never rejects: without the file this relay begins with those of its configuration. */
  async load(): Promise<string[]> {
    try {
      this.#saved = await readFile(this.#file, 'utf8');
      return this.#saved.split('\n').filter((peer) => peer !== '').slice(0, MAX_KNOWN);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#log.warn({ file: this.#file, error: errorMessage(error) }, 'the relays of the last run cannot be read');
      return [];
    }
  }

  /** Written in the background, when they are others than before. */
  save(peers: readonly string[]): void {
    const text = [...peers].sort().map((peer) => `${peer}\n`).join('');
    if (text === this.#saved) return;
    this.#saved = text;
    this.#work = this.#work
      .then(() => writePrivateFile(this.#file, text))
      .catch((error: unknown) => this.#log.warn({ file: this.#file, error: errorMessage(error) }, 'the relays that are known cannot be kept for the next run'));
  }

  /** What is to be written has been. */
  async stop(): Promise<void> {
    await this.#work;
  }
}
