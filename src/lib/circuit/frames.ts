import type { Stream } from '@libp2p/interface';
import { concat, encodeVarint, malformed } from '../protobuf.ts';
import { readUntil } from '../read-stream.ts';
import type { Taken } from '../read-stream.ts';
import { MAX_FRAME_BYTES } from './protocol.ts';

export interface ReadFrameOptions {
  /** The deadline; its reason is thrown. */
  signal: AbortSignal;
  /** Longest body accepted, in bytes. */
  maxBytes?: number;
}

/** A length of 4096 takes two bytes; four leave room for other protocols and end an endless varint at once. */
const MAX_LENGTH_BYTES = 4;

/**
 * Reads one varint-length-prefixed message. Bytes that came behind it are put back on the stream, for
 * whoever reads next: a peer may send data right behind its request (conformance 26).
 *
 * The prefix is judged as soon as it is there, so a large frame is refused before its body is held.
 *
 * @throws RelaydError MALFORMED_MESSAGE for an empty or too long frame or a bad prefix, UNEXPECTED_END when the
 * stream ends first; the signal's reason when it aborts.
 */
export function readFrame(stream: Stream, options: ReadFrameOptions): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? MAX_FRAME_BYTES;
  return readUntil(stream, options.signal, (held) => takeFrame(held, maxBytes));
}

/** Sends one varint-length-prefixed message. A full send buffer is the stream's own concern: frames are small. */
export function writeFrame(stream: Stream, body: Uint8Array): void {
  stream.send(concat([encodeVarint(body.byteLength), body]));
}

function takeFrame(buffer: Uint8Array, maxBytes: number): Taken<Uint8Array> | undefined {
  const prefix = takeLength(buffer);
  if (prefix === undefined) {
    return undefined;
  }
  if (prefix.length === 0) {
    throw malformed('an empty frame');
  }
  if (prefix.length > maxBytes) {
    throw malformed(`a frame of ${prefix.length} bytes; at most ${maxBytes} are accepted`);
  }
  const end = prefix.size + prefix.length;
  return buffer.byteLength < end ? undefined : { value: buffer.slice(prefix.size, end), end };
}

function takeLength(buffer: Uint8Array): { length: number; size: number } | undefined {
  let length = 0;
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = buffer[i];
    if (byte === undefined) {
      return undefined;
    }
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      return { length, size: i + 1 };
    }
  }
  throw malformed('a length prefix that does not end');
}
