import type { Take } from '../native/ground.ts';
import { mask } from './mask.ts';

/** Opcodes (RFC 6455, 5.2). */
export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Why a connection is closed (RFC 6455, 7.4.1). */
export const CloseCode = { NORMAL: 1000, PROTOCOL_ERROR: 1002, UNSUPPORTED_DATA: 1003, TOO_BIG: 1009 } as const;

/** Two bytes, eight of length, four of mask. */
export const MAX_HEADER_BYTES = 14;

/** What a peer sends is records of noise or TLS, at most 64 KiB each, and no header is worth more than a few of them at once. Nothing is kept of a frame, whatever its length. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** RFC 6455, 5.5. */
const MAX_CONTROL_BYTES = 125;

const FINAL = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
/** The lengths that say that two or eight more bytes hold it. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** The other side broke the protocol; `code` is what it is told. */
export class FrameError extends Error {
  readonly code: number;

  constructor(message: string, code: number = CloseCode.PROTOCOL_ERROR) {
    super(message);
    this.name = 'FrameError';
    this.code = code;
  }
}

export interface FrameEvents {
  /** The payload of binary messages, piece by piece as it comes, without its mask: where messages begin and end means nothing to libp2p. */
  data: Take;
  ping(payload: Buffer): void;
  close(payload: Buffer): void;
}

/** Takes WebSocket frames apart. It holds no more than one header and one control frame, and hands on data where it arrived. */
export class FrameReader {
  readonly #events: FrameEvents;
  readonly #expectsMask: boolean;
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES);
  #have = 0;
  #opcode = 0;
  /** Payload of the frame at hand that has not come. */
  #left = 0;
  readonly #key = Buffer.alloc(4);
  #keyAt = 0;
  #control: Buffer[] = [];
  /** A message has begun, and its last frame has not come. */
  #inMessage = false;
  #ended = false;

  /** @param expectsMask a client's frames are masked, a server's are not (RFC 6455, 5.1) */
  constructor(expectsMask: boolean, events: FrameEvents) {
    this.#expectsMask = expectsMask;
    this.#events = events;
  }

  /** Changes the bytes of `chunk`: the mask is taken off in place. @throws FrameError */
  read(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#ended) {
      at = this.#left > 0 ? this.#payload(chunk, at, end) : this.#head(chunk, at, end);
    }
  }

  #payload(chunk: Buffer, at: number, end: number): number {
    const to = Math.min(end, at + this.#left);
    if (this.#expectsMask) {
      mask(chunk, at, to, this.#key, this.#keyAt);
      this.#keyAt += to - at;
    }
    this.#left -= to - at;
    if (this.#opcode <= Opcode.BINARY) {
      this.#events.data(chunk, at, to);
    } else {
      this.#control.push(Buffer.from(chunk.subarray(at, to)));
      if (this.#left === 0) this.#endControl();
    }
    return to;
  }

  /** Collects the header; when it is whole, reads it. */
  #head(chunk: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      this.#header[this.#have++] = chunk[at++] as number;
      if (this.#have === this.#headerBytes()) {
        this.#have = 0;
        this.#begin();
        break;
      }
    }
    return at;
  }

  #headerBytes(): number {
    if (this.#have < 2) {
      return 2;
    }
    const length = (this.#header[1] as number) & ~MASKED;
    const more = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
    return 2 + more + (((this.#header[1] as number) & MASKED) === 0 ? 0 : 4);
  }

  #begin(): void {
    const [first, second] = this.#header as unknown as [number, number];
    const isMasked = (second & MASKED) !== 0;
    this.#opcode = first & OPCODE;
    if ((first & RESERVED) !== 0) {
      throw new FrameError('a WebSocket frame with an extension that was not agreed on');
    }
    if (isMasked !== this.#expectsMask) {
      throw new FrameError(isMasked ? 'a masked WebSocket frame from a server' : 'an unmasked WebSocket frame from a client');
    }
    this.#checkOrder((first & FINAL) !== 0);
    this.#left = this.#length(second & ~MASKED);
    if (isMasked) {
      const { length } = this.#key;
      this.#header.copy(this.#key, 0, this.#headerEnd(second) - length, this.#headerEnd(second));
      this.#keyAt = 0;
    }
    if (this.#left === 0 && this.#opcode >= Opcode.CLOSE) {
      this.#endControl();
    }
  }

  #headerEnd(second: number): number {
    const length = second & ~MASKED;
    return 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0) + 4;
  }

  /** RFC 6455, 5.4 and 5.6: text is for people, and libp2p has none. */
  #checkOrder(isFinal: boolean): void {
    switch (this.#opcode) {
      case Opcode.CONTINUATION:
      case Opcode.BINARY:
        if ((this.#opcode === Opcode.CONTINUATION) !== this.#inMessage) {
          throw new FrameError('a WebSocket frame out of its order');
        }
        this.#inMessage = !isFinal;
        break;
      case Opcode.CLOSE:
      case Opcode.PING:
      case Opcode.PONG:
        if (!isFinal) throw new FrameError('a WebSocket control frame in pieces');
        break;
      case Opcode.TEXT:
        throw new FrameError('a WebSocket text frame, where libp2p sends binary ones', CloseCode.UNSUPPORTED_DATA);
      default:
        throw new FrameError('a WebSocket frame of an unknown kind');
    }
  }

  #length(short: number): number {
    if (this.#opcode >= Opcode.CLOSE && short > MAX_CONTROL_BYTES) {
      throw new FrameError('a WebSocket control frame that is too long');
    }
    const length = short === LENGTH_16 ? this.#header.readUInt16BE(2) : short === LENGTH_64 ? Number(this.#header.readBigUInt64BE(2)) : short;
    if (length > MAX_FRAME_BYTES) {
      throw new FrameError(`a WebSocket frame of more than ${MAX_FRAME_BYTES} bytes`, CloseCode.TOO_BIG);
    }
    return length;
  }

  #endControl(): void {
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    if (this.#opcode === Opcode.PING) {
      this.#events.ping(payload);
    } else if (this.#opcode === Opcode.CLOSE) {
      // What stands behind it is nobody's (RFC 6455, 5.5.1).
      this.#ended = true;
      this.#events.close(payload);
    }
  }
}

/**
 * Writes the header of one whole frame so that it ends where its payload begins, at `at`, which is at least MAX_HEADER_BYTES. Masks
 * the payload where there is a key. Returns where the header begins.
 */
export function writeHeader(bytes: Buffer, at: number, opcode: number, key?: Buffer): number {
  const start = putHeader(bytes, at, bytes.length - at, opcode, key);
  if (key !== undefined) mask(bytes, at, bytes.length, key, 0);
  return start;
}

/** The header of one whole frame whose payload are `pieces`. Masks them where there is a key. */
export function headerOf(pieces: readonly Buffer[], opcode: number, key?: Buffer): Buffer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const header = Buffer.allocUnsafe(MAX_HEADER_BYTES);
  const start = putHeader(header, header.length, length, opcode, key);
  if (key !== undefined) {
    let keyAt = 0;
    for (const piece of pieces) {
      mask(piece, 0, piece.length, key, keyAt);
      keyAt += piece.length;
    }
  }
  return header.subarray(start);
}

/** So that it ends at `end`. Returns where it begins. */
function putHeader(bytes: Buffer, end: number, length: number, opcode: number, key?: Buffer): number {
  const more = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
  const start = end - (2 + more + (key?.length ?? 0));
  bytes[start] = FINAL | opcode;
  bytes[start + 1] = (key === undefined ? 0 : MASKED) | (more === 0 ? length : more === 2 ? LENGTH_16 : LENGTH_64);
  if (more === 2) bytes.writeUInt16BE(length, start + 2);
  if (more === 8) bytes.writeBigUInt64BE(BigInt(length), start + 2);
  key?.copy(bytes, end - key.length);
  return start;
}
