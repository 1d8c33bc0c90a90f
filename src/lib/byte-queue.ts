import { BlockPool } from './block-pool.ts';

/** Small, so that a queue of a few bytes costs little, and a full window wastes less than one of them. */
const PIECE_BYTES = 16 * 1024;
/** Kept for reuse by the whole process. */
const pieces = new BlockPool(PIECE_BYTES, 1024);

/** Bytes in order, copied into recycled pieces: nothing of what they came in is held. */
export class ByteQueue {
  #pieces: Buffer[] = [];
  /** Where the first piece's bytes begin. */
  #from = 0;
  /** Where the last piece's bytes end. */
  #to = 0;
  length = 0;

  push(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      let last = this.#pieces.at(-1);
      if (last === undefined || this.#to === PIECE_BYTES) {
        last = pieces.take();
        this.#pieces.push(last);
        this.#to = 0;
      }
      const bytes = Math.min(end - at, PIECE_BYTES - this.#to);
      last.set(at === 0 && bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes), this.#to);
      this.#to += bytes;
      at += bytes;
    }
    this.length += end - start;
  }

  /** Moves up to `most` bytes into `target` at `at`. Returns how many. */
  shift(target: Uint8Array, at: number, most: number): number {
    const wanted = Math.min(most, this.length);
    let moved = 0;
    while (moved < wanted) {
      const first = this.#pieces[0] as Buffer;
      const end = this.#pieces.length === 1 ? this.#to : PIECE_BYTES;
      const bytes = Math.min(wanted - moved, end - this.#from);
      target.set(first.subarray(this.#from, this.#from + bytes), at + moved);
      this.#from += bytes;
      moved += bytes;
      if (this.#from === end) {
        this.#dropFirst();
      }
    }
    this.length -= moved;
    return moved;
  }

  clear(): void {
    while (this.#pieces.length > 0) {
      this.#dropFirst();
    }
    this.length = 0;
  }

  #dropFirst(): void {
    pieces.give(this.#pieces.shift() as Buffer);
    this.#from = 0;
    if (this.#pieces.length === 0) {
      this.#to = 0;
    }
  }
}
