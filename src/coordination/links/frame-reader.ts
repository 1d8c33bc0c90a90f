import { malformed } from '../../lib/protobuf.ts';

/** A body of up to 2^28 bytes; an endless prefix ends here. */
const MAX_PREFIX_BYTES = 4;

/** A frame that is not whole yet; doubled as often as it must be. */
const FIRST_CAPACITY_BYTES = 256;

/** Takes a stream's bytes in whatever pieces they come, and gives whole frames (varint length in front) in order. */
export class FrameReader {
  readonly #maxBytes: number;
  /** Of a frame that is not whole: pieces are copied together, for one of a byte costs a hundred as an object of its own. */
  #rest: Uint8Array = new Uint8Array();
  #held = 0;
  /** What is needed before it is worth looking again. */
  #needed = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws RelaydError MALFORMED_MESSAGE for an empty or too long frame or a bad prefix: as soon as its prefix is there */
  push(piece: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    if (this.#held + piece.byteLength < this.#needed) {
      this.#append(piece);
      return frames;
    }
    const bytes = this.#held === 0 ? piece : this.#withRest(piece);
    let at = 0;
    for (let next = this.#next(bytes, at); next !== undefined; next = this.#next(bytes, at)) {
      frames.push(bytes.subarray(next.start, next.end));
      at = next.end;
    }
    this.#keep(bytes.subarray(at));
    return frames;
  }

  #append(piece: Uint8Array): void {
    const length = this.#held + piece.byteLength;
    if (length > this.#rest.byteLength) {
      const larger = new Uint8Array(Math.max(FIRST_CAPACITY_BYTES, 2 * this.#rest.byteLength, length));
      larger.set(this.#rest.subarray(0, this.#held));
      this.#rest = larger;
    }
    this.#rest.set(piece, this.#held);
    this.#held = length;
  }

  #withRest(piece: Uint8Array): Uint8Array {
    this.#append(piece);
    return this.#rest.subarray(0, this.#held);
  }

  /** Where the frame at `at` lies, when all of it is there; else what is needed is noted. */
  #next(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
    let length = 0;
    for (let i = 0; i < MAX_PREFIX_BYTES; i++) {
      const byte = bytes[at + i];
      if (byte === undefined) {
        this.#needed = i + 1;
        return undefined;
      }
      length += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) {
        return this.#whole(bytes, at, at + i + 1, length);
      }
    }
    throw malformed('a length prefix that does not end');
  }

  #whole(bytes: Uint8Array, at: number, start: number, length: number): { start: number; end: number } | undefined {
    if (length === 0 || length > this.#maxBytes) {
      throw malformed(`a frame of ${length} bytes; from 1 to ${this.#maxBytes} are accepted`);
    }
    const end = start + length;
    this.#needed = end - at;
    return end > bytes.byteLength ? undefined : { start, end };
  }

  /** The rest is copied: a view of a few bytes would hold all that it came with, and frames that were given are the receiver's. */
  #keep(rest: Uint8Array): void {
    this.#rest = rest.slice();
    this.#held = rest.byteLength;
    if (rest.byteLength === 0) this.#needed = 1;
  }
}
