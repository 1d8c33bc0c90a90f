/** Size of the blocks that small pieces are copied into. */
const BLOCK_BYTES = 16 * 1024;

/**
 * Bytes that wait, in order, in memory of about their own size. A muxer's pieces are views of larger
 * buffers and may be one byte each: kept as they are, a waiting 256 KiB could hold many times as much. Pieces that
 * fill most of their buffer are kept, others are copied into blocks.
 */
export class ByteQueue {
  readonly #blocks: Uint8Array[] = [];
  /** The last block while it has room: its memory and how much of it is used. */
  #open: { memory: Uint8Array; used: number } | undefined;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  push(piece: Uint8Array): void {
    this.#byteLength += piece.byteLength;
    if (piece.byteLength >= BLOCK_BYTES && piece.byteLength * 2 >= piece.buffer.byteLength) {
      this.#seal();
      this.#blocks.push(piece);
    } else {
      this.#copy(piece);
    }
  }

  /** Takes whole blocks from the front: at least one if there is any, and no more than `maxBytes` if there are several. */
  take(maxBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let bytes = 0;
    if (this.#blocks.length === 0) {
      this.#seal();
    }
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      if (taken.length > 0 && bytes + block.byteLength > maxBytes) break;
      bytes += block.byteLength;
      taken.push(block);
      this.#blocks.shift();
      if (this.#blocks.length === 0) this.#seal();
    }
    this.#byteLength -= bytes;
    return taken;
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#open = undefined;
    this.#byteLength = 0;
  }

  #copy(piece: Uint8Array): void {
    for (let at = 0; at < piece.byteLength; ) {
      const open = (this.#open ??= { memory: new Uint8Array(BLOCK_BYTES), used: 0 });
      const step = Math.min(piece.byteLength - at, BLOCK_BYTES - open.used);
      open.memory.set(piece.subarray(at, at + step), open.used);
      open.used += step;
      at += step;
      if (open.used === BLOCK_BYTES) this.#seal();
    }
  }

  #seal(): void {
    if (this.#open !== undefined) {
      this.#blocks.push(this.#open.memory.subarray(0, this.#open.used));
      this.#open = undefined;
    }
  }
}
