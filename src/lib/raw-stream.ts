import type { Stream } from '@libp2p/interface';

/** Where the bytes of a raw stream go. */
export interface RawSink {
  /** Bytes of `chunk` from `start` to `end`, valid only during the call; `RawStream.taken` is owed for them. */
  take(chunk: Uint8Array, start: number, end: number): void;
  /** The other side has said that it sends no more, and all that it sent has been given. */
  ended(): void;
}

/**
 * A stream of the native data path, which can be read and written without events and lists between. Credit is explicit: the
 * other side may send no more than the window ahead of what `taken` has acknowledged.
 */
export interface RawStream extends Stream {
  /** From now on bytes go to `sink`, first those that wait here. The window grows to `windowBytes` if that is more. */
  readRaw(sink: RawSink, windowBytes: number): void;
  /** `bytes` of what was given are done with: the other side may send as many again. */
  taken(bytes: number): void;
  /** Copies bytes; what the other side's window does not allow yet waits here, so the caller bounds it. `onWritten` tells when they have left. @throws Error when the stream is closed for writing */
  writeRaw(chunk: Uint8Array, start: number, end: number): void;
  onWritten: ((bytes: number) => void) | undefined;
}

export function isRawStream(stream: Stream): stream is RawStream {
  const raw = stream as Partial<RawStream>;
  return typeof raw.readRaw === 'function' && typeof raw.writeRaw === 'function';
}
