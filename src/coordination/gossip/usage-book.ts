import { createHash } from 'node:crypto';
import type { Run, UsageCell } from './messages.ts';
import { splitUsageKey, usageKey } from './shard.ts';
import { forgetWindowAt } from './usage-window.ts';

/** Counts of one key by one run of one relay. At some hundred bytes each: 20 MB. What is above it is counted by each relay alone. */
const MAX_CELLS = 200_000;

/** A hash is compared with those of relays that hold the secret: it guards against difference, not against malice. */
const HASH_BYTES = 8;

interface Writer extends Run {
  readonly cells: Map<string, number>;
  hash: Buffer | undefined;
}

/**
 * How many bytes each run of each relay has counted for each key in each window. Counts only grow, the larger of two is right, and what a relay counted
 * outlives its run: quotas are not forgotten when relays restart.
 */
export class UsageBook {
  readonly #writers = new Map<string, Writer>();
  readonly #totals = new Map<string, number>();
  readonly #maxCells: number;
  #cells = 0;
  #revision = 0;

  constructor(maxCells = MAX_CELLS) {
    this.#maxCells = maxCells;
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#cells;
  }

  /**
   * @param wallMs Unix time
   * @returns whether that was news
   */
  raise(run: Run, { key, window, bytes }: UsageCell, wallMs: number): boolean {
    const name = usageKey(window, key);
    const writer = this.#writer(run);
    const before = writer.cells.get(name);
    if (bytes <= (before ?? 0) || !this.#mayAdd(before, window, wallMs)) return false;
    if (before === undefined) this.#cells++;
    this.#writers.set(writerName(run), writer);
    writer.cells.set(name, bytes);
    writer.hash = undefined;
    this.#totals.set(name, (this.#totals.get(name) ?? 0) + bytes - (before ?? 0));
    this.#revision++;
    return true;
  }

  total(key: string, window: string): number {
    return this.#totals.get(usageKey(window, key)) ?? 0;
  }

  /** @param name window and key */
  bytesOf(run: Run, name: string): number {
    return this.#writers.get(writerName(run))?.cells.get(name) ?? 0;
  }

  runs(): Run[] {
    return [...this.#writers.values()].map(({ relay, epoch }) => ({ relay, epoch }));
  }

  cellsOf(run: Run): UsageCell[] {
    return [...(this.#writers.get(writerName(run))?.cells ?? [])].map(([name, bytes]) => cell(name, bytes));
  }

  /** The same wherever the same has been counted. */
  hashOf(run: Run): Uint8Array {
    const writer = this.#writers.get(writerName(run));
    if (writer === undefined) return new Uint8Array(HASH_BYTES);
    writer.hash ??= hashCells(writer.cells);
    return writer.hash;
  }

  /** Windows that are long over. @param wallMs Unix time */
  forgetOld(wallMs: number): void {
    for (const [name, writer] of this.#writers) {
      for (const cellName of [...writer.cells.keys()].filter((text) => isOver(splitUsageKey(text)[0], wallMs))) this.#drop(writer, cellName);
      if (writer.cells.size === 0) this.#writers.delete(name);
    }
  }

  #mayAdd(before: number | undefined, window: string, wallMs: number): boolean {
    return before !== undefined || (this.#cells < this.#maxCells && !isOver(window, wallMs));
  }

  #writer(run: Run): Writer {
    return this.#writers.get(writerName(run)) ?? { relay: run.relay, epoch: run.epoch, cells: new Map(), hash: undefined };
  }

  #drop(writer: Writer, name: string): void {
    const rest = (this.#totals.get(name) ?? 0) - (writer.cells.get(name) ?? 0);
    if (rest > 0) this.#totals.set(name, rest);
    else this.#totals.delete(name);
    writer.cells.delete(name);
    writer.hash = undefined;
    this.#cells--;
    this.#revision++;
  }
}

/** The hash of several runs' usage, in whatever order they are named. */
export function hashOfRuns(book: UsageBook, runs: readonly Run[]): Uint8Array {
  const lines = runs.map((run) => `${writerName(run)} ${Buffer.from(book.hashOf(run)).toString('hex')}`).sort();
  return shortHash(lines);
}

function hashCells(cells: ReadonlyMap<string, number>): Buffer {
  return shortHash([...cells].map(([name, bytes]) => `${name} ${bytes}`).sort());
}

function shortHash(lines: readonly string[]): Buffer {
  return createHash('sha256').update(lines.join('\n')).digest().subarray(0, HASH_BYTES);
}

function cell(name: string, bytes: number): UsageCell {
  const [window, key] = splitUsageKey(name);
  return { key, window, bytes };
}

function writerName({ relay, epoch }: Run): string {
  return `${epoch} ${relay}`;
}

/** What is no window is over. */
function isOver(window: string, wallMs: number): boolean {
  return (forgetWindowAt(window) ?? 0) <= wallMs;
}
