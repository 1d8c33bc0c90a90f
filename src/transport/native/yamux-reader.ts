import { HEADER_BYTES, VERSION } from './yamux-frame.ts';

/** What the reader finds. */
export interface FrameUser {
  /** A header; for a data frame, its body follows in parts. @throws Error when the frame is out of place */
  frame(type: number, flags: number, streamId: number, length: number): void;
  /** A part of the body of the data frame that was announced last. */
  body(chunk: Buffer, start: number, end: number): void;
  /** The whole body has come; also for a data frame without one. */
  bodyEnd(): void;
}

/** Cuts the bytes of a connection into frames, however they are divided. A body is passed on as it arrives, never collected. */
export class YamuxReader {
  readonly #user: FrameUser;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #bodyLeft = 0;
  #inBody = false;

  constructor(user: FrameUser) {
    this.#user = user;
  }

  /** @throws Error when the bytes are not yamux */
  read(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#inBody) {
        const bytes = Math.min(this.#bodyLeft, end - at);
        this.#bodyLeft -= bytes;
        this.#user.body(chunk, at, at + bytes);
        at += bytes;
        this.#endBody();
      } else if (this.#headerBytes === 0 && end - at >= HEADER_BYTES) {
        this.#parse(chunk, at);
        at += HEADER_BYTES;
      } else {
        at += this.#collect(chunk, at, end);
      }
    }
  }

  #collect(chunk: Buffer, at: number, end: number): number {
    const bytes = chunk.copy(this.#header, this.#headerBytes, at, Math.min(end, at + HEADER_BYTES - this.#headerBytes));
    this.#headerBytes += bytes;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#parse(this.#header, 0);
    }
    return bytes;
  }

  #parse(bytes: Buffer, at: number): void {
    if (bytes[at] !== VERSION) {
      throw new Error('a yamux frame of an unknown version');
    }
    const type = bytes[at + 1] as number;
    const length = bytes.readUInt32BE(at + 8);
    this.#user.frame(type, bytes.readUInt16BE(at + 2), bytes.readUInt32BE(at + 4), length);
    if (type === 0) {
      this.#inBody = true;
      this.#bodyLeft = length;
      this.#endBody();
    }
  }

  #endBody(): void {
    if (this.#bodyLeft === 0) {
      this.#inBody = false;
      this.#user.bodyEnd();
    }
  }
}
