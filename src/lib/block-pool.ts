let inUse = 0;

/** Blocks of all pools that somebody has. */
export function blocksInUse(): number {
  return inUse;
}

/** Pieces of memory of one size that are used again: the collector sees external memory late, and a relay's bytes are nothing else. */
export class BlockPool {
  readonly #bytes: number;
  readonly #keep: number;
  readonly #free: Buffer[] = [];

  /** Blocks of `bytes`; at most `keep` that nobody uses are held. */
  constructor(bytes: number, keep: number) {
    this.#bytes = bytes;
    this.#keep = keep;
  }

  /** A block with whatever its last user left in it. */
  take(): Buffer {
    inUse++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  give(block: Buffer): void {
    inUse--;
    if (this.#free.length < this.#keep) {
      this.#free.push(block);
    } else {
      freeNow(block);
    }
  }
}

/**
 * Gives the memory of `chunk` back at once where it has a buffer of its own. Nothing may look at it afterwards. Left to the collector,
 * the buffers that sockets and ciphers hand out cost more than the work on their bytes (docs/decisions/0007).
 */
export function freeNow(chunk: Uint8Array): void {
  if (chunk.byteOffset === 0 && chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer) {
    chunk.buffer.transfer(0);
  }
}
