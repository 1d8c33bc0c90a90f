import type { Stream } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { isRawStream } from '../lib/raw-stream.ts';
import type { Shaper } from './bandwidth.ts';
import type { BufferLedger } from './buffer-ledger.ts';
import { CreditFlow } from './credit-flow.ts';
import { RawFlow } from './raw-flow.ts';

export interface FlowOptions {
  from: Stream;
  to: Stream;
  limitBytes: number;
  /** How far the sender may be ahead of the receiver, in bytes. */
  windowBytes: number;
  shaper: Shaper;
  ledger: BufferLedger;
  clock: Clock;
  /** `bytes` were handed to the receiver's stream. */
  onMoved: (bytes: number) => void;
  /** The sender's end was passed on; nothing more will move. */
  onEnd: () => void;
  /** The sender has sent more than `limitBytes`; the bytes up to the limit have been handed on. */
  onOverLimit: () => void;
  onError: (error: unknown) => void;
}

/** One direction of a circuit. */
export interface Flow {
  /** Bytes handed on so far. */
  readonly moved: number;
  /** Bytes between sender and receiver now. */
  readonly buffered: number;
  /** True once the sender's end has been passed on, or the flow was stopped. */
  readonly over: boolean;
  /** The sender has sent all that it will, and said so. */
  readonly senderEnded: boolean;
  /** All that the sender sent is with the receiver's stream, which is being closed, or has been. */
  readonly ending: boolean;
  start(): void;
  /** Stops without passing anything on; what waits is dropped. */
  stop(): void;
}

/** Streams of the native data path are pumped without events between; any others by their window credit. */
export function makeFlow(options: FlowOptions): Flow {
  const { from, to } = options;
  return isRawStream(from) && isRawStream(to) ? new RawFlow({ ...options, from, to }) : new CreditFlow(options);
}
