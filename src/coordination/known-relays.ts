import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { writePrivateFile } from '../lib/private-file.ts';
import { MAX_EPOCH } from './epoch.ts';
import type { RememberedRelay } from './relay-memory.ts';

/** No file of ours is longer; one that is was not written by us. */
const MAX_KNOWN = 1024;

/** What relays say of themselves changes every few seconds: their numbers alone are not written as often. */
const NUMBERS_EVERY_MS = 60_000;

/**
 * The relays that are known, kept from one run to the next: a relay that is started while it is cut off from the others must not take itself for
 * the only one, and every limit for its own. Their newest numbers are kept too, so that nobody can show it what they said long ago.
 *
 * A line a relay: its peer id, epoch, sequence and `gone` when it is taken to be at work no more. A line of a peer id alone is of an older version.
 */
export class KnownRelays {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  #saved = '';
  #savedRuns = '';
  #savedAt = -Infinity;
  #work: Promise<void> = Promise.resolve();

  constructor(dataDir: string, clock: Clock, log: Logger) {
    this.#file = join(dataDir, 'cluster-relays');
    this.#clock = clock;
    this.#log = log;
  }

  /** Never rejects: without the file this relay begins with those of its configuration. */
  async load(): Promise<RememberedRelay[]> {
    try {
      this.#saved = await readFile(this.#file, 'utf8');
      return this.#saved.split('\n').filter((line) => line !== '').slice(0, MAX_KNOWN).map(parse);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#log.warn({ file: this.#file, error: errorMessage(error) }, 'the relays of the last run cannot be read');
      return [];
    }
  }

  /** Written in the background: at once when they are others than before, or other runs of them; else from time to time. */
  save(relays: readonly RememberedRelay[]): void {
    const isDue = this.#clock.now() - this.#savedAt >= NUMBERS_EVERY_MS;
    if (isDue || runs(relays) !== this.#savedRuns) this.#write(relays);
  }

  /** What is to be written has been, with the newest numbers. */
  async stop(relays: readonly RememberedRelay[]): Promise<void> {
    this.#write(relays);
    await this.#work;
  }

  #write(relays: readonly RememberedRelay[]): void {
    const text = relays.map((relay) => `${format(relay)}\n`).sort().join('');
    this.#savedRuns = runs(relays);
    this.#savedAt = this.#clock.now();
    if (text === this.#saved) return;
    this.#saved = text;
    this.#work = this.#work
      .then(() => writePrivateFile(this.#file, text))
      .catch((error: unknown) => this.#log.warn({ file: this.#file, error: errorMessage(error) }, 'the relays that are known cannot be kept for the next run'));
  }
}

function format({ peer, epoch, sequence, mayBeAtWork }: RememberedRelay): string {
  return `${peer} ${epoch} ${sequence}${mayBeAtWork ? '' : ' gone'}`;
}

function parse(line: string): RememberedRelay {
  const [peer = '', epoch, sequence, gone] = line.split(' ');
  const isOfNoRun = numberOf(epoch) > MAX_EPOCH;
  return { peer, epoch: isOfNoRun ? 0 : numberOf(epoch), sequence: isOfNoRun ? 0 : numberOf(sequence), mayBeAtWork: gone === undefined };
}

/** What is no number was not written by us; what is heard next sets it right. */
function numberOf(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function runs(relays: readonly RememberedRelay[]): string {
  return relays.map(({ peer, epoch, mayBeAtWork }) => `${peer} ${epoch} ${mayBeAtWork}`).sort().join();
}
