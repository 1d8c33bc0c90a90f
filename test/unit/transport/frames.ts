/** Frames of yamux, written and read by this file's own code alone: what checks the muxer must not share its mistakes. */

export interface Frame {
  type: number;
  flags: number;
  id: number;
  /** Of a data frame, the body's; else the delta, the ping's value or the code. */
  length: number;
  body: Uint8Array;
}

export const DATA = 0;
export const WINDOW = 1;
export const PING = 2;
export const GO_AWAY = 3;

export const SYN = 1;
export const ACK = 2;
export const FIN = 4;
export const RST = 8;

const NOTHING = new Uint8Array(0);

export function encodeFrame({ type, flags = 0, id = 0, length, body = NOTHING, version = 0 }: Partial<Frame> & { type: number; version?: number }): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, type);
  view.setUint16(2, flags);
  view.setUint32(4, id);
  view.setUint32(8, length ?? body.length);
  bytes.set(body, 12);
  return bytes;
}

export function joinFrames(frames: readonly (Partial<Frame> & { type: number })[]): Uint8Array {
  return joinBytes(frames.map(encodeFrame));
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Cuts `bytes` into pieces of these lengths, over and over, to its end. */
export function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** Whole frames of what has come so far. */
export class FrameParser {
  #waiting: Uint8Array = NOTHING;

  /** Bytes of a frame that has not come to its end. */
  get waitingBytes(): number {
    return this.#waiting.length;
  }

  add(chunk: Uint8Array): Frame[] {
    this.#waiting = joinBytes([this.#waiting, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    for (;;) {
      const frame = this.#frameAt(at);
      if (frame === undefined) {
        this.#waiting = this.#waiting.slice(at);
        return frames;
      }
      frames.push(frame);
      at += 12 + frame.body.length;
    }
  }

  #frameAt(at: number): Frame | undefined {
    const left = this.#waiting.length - at;
    if (left < 12) {
      return undefined;
    }
    const view = new DataView(this.#waiting.buffer, this.#waiting.byteOffset + at, left);
    if (view.getUint8(0) !== 0) {
      throw new Error(`version ${view.getUint8(0)}`);
    }
    const type = view.getUint8(1);
    const length = view.getUint32(8);
    const bodyBytes = type === DATA ? length : 0;
    if (left < 12 + bodyBytes) {
      return undefined;
    }
    return { type, flags: view.getUint16(2), id: view.getUint32(4), length, body: this.#waiting.slice(at + 12, at + 12 + bodyBytes) };
  }
}
