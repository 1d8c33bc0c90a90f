import { concat, malformed } from '../../lib/protobuf.ts';

/** A body of up to 2^28 bytes; an endless prefix ends here. */
const MAX_PREFIX_BYTES = 4;

/** Takes a stream's bytes in whatever pieces they come, and gives whole frames (varint length in front) in order. */
export class FrameReader {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #held = 0;
  /** What is needed before it is worth looking again. */
  #needed = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws RelaydError MALFORMED_MESSAGE for an empty or too long frame or a bad prefix: as soon as its prefix is there */
  push(piece: Uint8Array): Uint8Array[] {
    this.#pieces.push(piece);
    this.#held += piece.byteLength;
    const frames: Uint8Array[] = [];
    if (this.#held < this.#needed) {
      return frames;
    }
    const bytes = this.#pieces.length === 1 ? piece : concat(this.#pieces);
    let at = 0;
    for (let next = this.#next(bytes, at); next !== undefined; next = this.#next(bytes, at)) {
      frames.push(bytes.subarray(next.start, next.end));
      at = next.end;
    }
    this.#keep(bytes.subarray(at));
    return frames;
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

  /** The rest is copied: a view of a few bytes would hold all that it came with. */
  #keep(rest: Uint8Array): void {
    this.#pieces = rest.byteLength === 0 ? [] : [rest.slice()];
    this.#held = rest.byteLength;
    if (rest.byteLength === 0) this.#needed = 1;
  }
}
