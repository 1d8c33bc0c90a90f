import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { writePrivateFile } from '../../lib/private-file.ts';
import type { UsageCell } from './messages.ts';
import type { UsageBook } from './usage-book.ts';

/** The most that a cluster forgets of its quotas when all of it is killed at once. */
const WRITE_EVERY_MS = 10_000;

const FILE_NAME = 'cluster-usage.json';
const FILE_VERSION = 1;

interface UsageFileOptions {
  readonly dataDir: string;
  readonly book: UsageBook;
  readonly clock: Clock;
  readonly log: Logger;
}

/** All usage that this relay knows of, its own and the others', in a file: a stop of the whole cluster forgets no quota. */
export class UsageFile {
  readonly #o: UsageFileOptions;
  readonly #path: string;
  #writtenAt = -Infinity;
  #writtenRevision = 0;
  #writing: Promise<void> | undefined;

  constructor(options: UsageFileOptions) {
    this.#o = options;
    this.#path = join(options.dataDir, FILE_NAME);
  }

  /** A file that cannot be read or makes no sense is warned of and left out: quotas begin anew then, and the relay serves. */
  async load(): Promise<void> {
    try {
      const text = await readFile(this.#path, 'utf8');
      parse(text).forEach(({ relay, epoch, cells }) => cells.forEach((cell) => this.#o.book.raise({ relay, epoch }, cell, this.#o.clock.wall())));
      this.#writtenRevision = this.#o.book.revision;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#o.log.warn({ file: this.#path, error: errorMessage(error) }, 'what was used of the quotas cannot be read: it is counted anew, or learnt from the other relays');
    }
  }

  /** Writes when something has changed, and not too often. */
  writeSometimes(): void {
    if (this.#writing === undefined && this.#o.clock.now() >= this.#writtenAt + WRITE_EVERY_MS) void this.write();
  }

  async write(): Promise<void> {
    await this.#writing;
    if (this.#writtenRevision === this.#o.book.revision) return;
    this.#writing = this.#write().finally(() => (this.#writing = undefined));
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { book, clock, log } = this.#o;
    const { revision } = book;
    this.#writtenAt = clock.now();
    try {
      await writePrivateFile(this.#path, format(book));
      this.#writtenRevision = revision;
    } catch (error) {
      log.warn({ file: this.#path, error: errorMessage(error) }, 'what is used of the quotas cannot be kept over a restart');
    }
  }
}

interface RunUsage {
  readonly relay: string;
  readonly epoch: number;
  readonly cells: readonly UsageCell[];
}

function format(book: UsageBook): string {
  const runs = book.runs().map((run) => ({ ...run, used: book.cellsOf(run).map(({ window, key, bytes }) => [window, key, bytes]) }));
  return `${JSON.stringify({ version: FILE_VERSION, runs })}\n`;
}

/** @throws Error that says what is wrong */
function parse(text: string): RunUsage[] {
  const { version, runs } = JSON.parse(text) as { version?: unknown; runs?: unknown };
  if (version !== FILE_VERSION || !Array.isArray(runs)) throw new Error(`it is not of version ${FILE_VERSION}`);
  return runs.map(parseRun);
}

function parseRun(run: unknown): RunUsage {
  const { relay, epoch, used } = (run ?? {}) as Record<string, unknown>;
  if (typeof relay !== 'string' || !isCount(epoch) || !Array.isArray(used)) throw new Error('a run of a relay has no name, number or usage');
  return { relay, epoch, cells: used.map(parseCell) };
}

function parseCell(cell: unknown): UsageCell {
  const [window, key, bytes] = Array.isArray(cell) ? (cell as unknown[]) : [];
  if (typeof window !== 'string' || typeof key !== 'string' || !isCount(bytes)) throw new Error('a count has no window, key or number');
  return { window, key, bytes };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
