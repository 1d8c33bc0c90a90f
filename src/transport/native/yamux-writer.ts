import type { Outgoing } from './outgoing.ts';
import { FrameType, HEADER_BYTES, writeHeader, writeLength } from './yamux-frame.ts';
import type { YamuxStream } from './yamux-stream.ts';

/** No point in a frame that cannot take some bytes beside its header. */
const LEAST_DATA_BYTES = HEADER_BYTES + 64;

/** Writes frames of one connection into what is going out. Data of one stream that follows itself becomes one frame. */
export class YamuxWriter {
  readonly #outgoing: Outgoing;
  /** The data frame that was written last, while it can still grow. */
  #lastStream: YamuxStream | undefined;
  #lastHeader = 0;
  #lastLength = 0;
  #lastRecord = -1;

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing;
  }

  /** False while the peer has to take something first. */
  get hasRoom(): boolean {
    return this.#outgoing.room(LEAST_DATA_BYTES) > 0;
  }

  /** A frame without a body. */
  control(type: number, flags: number, streamId: number, length: number): void {
    const out = this.#outgoing;
    if (out.roomForControl(HEADER_BYTES) === 0) {
      return;
    }
    writeHeader(out.bytes, out.at, type, flags, streamId, length);
    out.wrote(HEADER_BYTES);
    this.#lastStream = undefined;
  }

  /** Writes as much of `chunk` as there is room for and `most` allows. Returns how much. */
  data(stream: YamuxStream, chunk: Uint8Array, start: number, end: number, most: number): number {
    const out = this.#outgoing;
    let at = start;
    const stop = Math.min(end, start + most);
    while (at < stop) {
      const bytes = Math.min(this.#makeRoom(stream), stop - at);
      if (bytes === 0) {
        break;
      }
      out.bytes.set(at === 0 && bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes), out.at);
      this.#wrote(stream, bytes);
      at += bytes;
    }
    return at - start;
  }

  /** As `data`, from what waits on the stream. */
  queued(stream: YamuxStream, most: number): number {
    const out = this.#outgoing;
    let moved = 0;
    while (moved < most) {
      const room = this.#makeRoom(stream);
      const bytes = room === 0 ? 0 : stream.queue.shift(out.bytes, out.at, Math.min(room, most - moved));
      if (bytes === 0) {
        break;
      }
      this.#wrote(stream, bytes);
      moved += bytes;
    }
    return moved;
  }

  /** Room for data of `stream` at `outgoing.at`, behind a header: the one of its last frame, or a new one of length 0. */
  #makeRoom(stream: YamuxStream): number {
    const out = this.#outgoing;
    const room = out.room(LEAST_DATA_BYTES);
    if (room === 0) {
      return 0;
    }
    if (this.#lastStream === stream && this.#lastRecord === out.record) {
      return room;
    }
    this.#lastStream = stream;
    this.#lastRecord = out.record;
    this.#lastHeader = out.at;
    this.#lastLength = 0;
    writeHeader(out.bytes, out.at, FrameType.DATA, stream.takeOpeningFlags(), stream.streamId, 0);
    out.wrote(HEADER_BYTES);
    return room - HEADER_BYTES;
  }

  #wrote(stream: YamuxStream, bytes: number): void {
    const out = this.#outgoing;
    this.#lastLength += bytes;
    writeLength(out.bytes, this.#lastHeader, this.#lastLength);
    out.wrote(bytes, stream, bytes);
  }
}
