import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { RelaydError, toError } from './errors.ts';
import { concat } from './protobuf.ts';

/**
 * The next `bytes` bytes of `stream`; what comes behind them is put back.
 *
 * @throws RelaydError UNEXPECTED_END when the stream ends first; the signal's reason when it aborts
 */
export function readExactly(stream: Stream, bytes: number, signal: AbortSignal): Promise<Uint8Array> {
  return readUntil(stream, signal, (held) => (held.byteLength < bytes ? undefined : { value: held.slice(0, bytes), end: bytes }));
}

/** What `take` makes of the bytes so far, and how many of them it used up. */
export interface Taken<T> {
  value: T;
  end: number;
}

/**
 * Gathers bytes until `take` finds what it looks for, then puts the rest back on the stream for whoever reads next. `take` may
 * throw, which is thrown here.
 */
export function readUntil<T>(stream: Stream, signal: AbortSignal, take: (held: Uint8Array) => Taken<T> | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let held: Uint8Array = new Uint8Array();
    const stopListening = (): void => {
      stream.removeEventListener('message', onMessage);
      stream.removeEventListener('close', onClose);
      stream.removeEventListener('end', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      stopListening();
      reject(toError(error));
    };
    const onMessage = (event: StreamMessageEvent): void => {
      try {
        held = concat([held, event.data.subarray()]);
        const taken = take(held);
        if (taken !== undefined) {
          stopListening();
          putBack(stream, held.subarray(taken.end));
          resolve(taken.value);
        }
      } catch (error) {
        fail(error);
      }
    };
    const onClose = (event: StreamCloseEvent): void => fail(ended(event.error));
    // The last bytes may come in the same frame as the end, behind it: look again after them.
    const onEnd = (): void => {
      setImmediate(() => {
        if (stream.readBufferLength === 0) fail(ended());
      });
    };
    const onAbort = (): void => fail(signal.reason);

    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    stream.addEventListener('close', onClose);
    stream.addEventListener('end', onEnd);
    stream.addEventListener('message', onMessage);
    if (stream.readableEnded) {
      onEnd();
    }
  });
}

function putBack(stream: Stream, rest: Uint8Array): void {
  if (rest.byteLength > 0 && stream.readStatus !== 'closed' && stream.readStatus !== 'closing') {
    stream.unshift(rest.slice());
  }
}

function ended(cause?: Error): RelaydError {
  return new RelaydError('UNEXPECTED_END', 'the stream ended before a whole message', { cause });
}
