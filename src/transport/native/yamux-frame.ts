/** Frames of yamux (hashicorp/yamux, spec.md, "Framing"): a header of 12 bytes, and a body in data frames. */

export const HEADER_BYTES = 12;
export const VERSION = 0;

export const FrameType = { DATA: 0, WINDOW_UPDATE: 1, PING: 2, GO_AWAY: 3 } as const;

export const Flag = { SYN: 1, ACK: 2, FIN: 4, RST: 8 } as const;

export const GoAway = { NORMAL: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2 } as const;

/** The window of every stream when it begins, on both sides. */
export const INITIAL_WINDOW_BYTES = 256 * 1024;

/** `length` is the body of a data frame, the delta of a window update, the value of a ping, the code of a go-away. */
export function writeHeader(bytes: Buffer, at: number, type: number, flags: number, streamId: number, length: number): void {
  bytes[at] = VERSION;
  bytes[at + 1] = type;
  bytes[at + 2] = 0;
  bytes[at + 3] = flags;
  bytes[at + 4] = streamId >>> 24;
  bytes[at + 5] = streamId >>> 16;
  bytes[at + 6] = streamId >>> 8;
  bytes[at + 7] = streamId;
  writeLength(bytes, at, length);
}

/** Changes the length in a header that has been written at `at`. */
export function writeLength(bytes: Buffer, at: number, length: number): void {
  bytes[at + 8] = length >>> 24;
  bytes[at + 9] = length >>> 16;
  bytes[at + 10] = length >>> 8;
  bytes[at + 11] = length;
}
