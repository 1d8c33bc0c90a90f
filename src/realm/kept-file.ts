import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { writePrivateFile } from '../lib/private-file.ts';
import { makeRealmFolder } from './folder.ts';
import type { RealmFolder } from './folder.ts';

export interface KeptFileOptions {
  readonly folder: RealmFolder;
  readonly path: string;
  readonly log: Logger;
  /** What is to be in it, when it is written; `undefined` when there is nothing to keep any more: what is there stays. */
  readonly content: () => string | Uint8Array | undefined;
  /** What follows when it cannot be written, for a person. */
  readonly otherwise: string;
}

/** A file of the realm's folder that a running node keeps up to date. */
export class KeptFile {
  readonly #o: KeptFileOptions;
  #isBehind = false;
  #isFailing = false;
  #writing: Promise<void> | undefined;

  constructor(options: KeptFileOptions) {
    this.#o = options;
  }

  /** What is to be in it has changed: it is written at once, or after the write that is under way. */
  changed(): void {
    this.#isBehind = true;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Resolves when it is written; what could not be before is tried once more. */
  async stop(): Promise<void> {
    await this.#writing;
    if (this.#isBehind) this.changed();
    await this.#writing;
  }

  /** Never throws: what cannot be written now is written with the next change. */
  async #write(): Promise<void> {
    const { folder, path, content } = this.#o;
    try {
      await makeRealmFolder(folder);
      while (this.#isBehind) {
        this.#isBehind = false;
        const kept = content();
        if (kept !== undefined) await writePrivateFile(path, kept);
      }
      this.#isFailing = false;
    } catch (error) {
      this.#isBehind = true;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { path, otherwise, log } = this.#o;
    if (!this.#isFailing) log.warn({ file: path, error: errorMessage(error) }, `a file of the realm could not be written: ${otherwise}`);
    this.#isFailing = true;
  }
}
