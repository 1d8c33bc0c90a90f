import type { MessageStreamDirection, Logger } from '@libp2p/interface';
import { AbstractStream } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import { Uint8ArrayList } from 'uint8arraylist';
import { errorMessage, toError } from '../../lib/errors.ts';
import type { NativeStream } from './module.ts';

/** The most that one read takes: a call into the native part costs more than the bytes do. */
const READ_BYTES = 64 * 1024;

interface QuicStreamInit {
  native: NativeStream;
  direction: MessageStreamDirection;
  log: Logger;
}

/**
 * A stream of a QUIC connection, in place of the package's own, which reads on while its reader is paused (a slow reader's stream breaks
 * at 4 MiB) and takes a reset for an end in good order. Here a paused stream is not read, so QUIC's window fills and the sender waits.
 */
export class QuicStream extends AbstractStream {
  readonly #native: NativeStream;
  /** Settled while the stream may be read. */
  #mayRead = Promise.withResolvers<void>();
  #held = false;

  constructor({ native, direction, log }: QuicStreamInit) {
    super({ id: native.id(), direction, log });
    this.#native = native;
    this.addEventListener('close', () => this.#mayRead.resolve());
    void this.#read();
  }

  /** One write at a time: the next is asked for by `drain`. */
  sendData(data: Uint8ArrayList): SendResult {
    this.#native.write(data.subarray()).then(
      () => void this.safeDispatchEvent('drain'),
      (error: unknown) => this.abort(toError(error)),
    );
    return { sentBytes: data.byteLength, canSendMore: false };
  }

  sendReset(): void {
    ignoreFailure(this.#native.resetWrite());
    ignoreFailure(this.#native.stopRead());
  }

  async sendCloseWrite(): Promise<void> {
    await this.#native.finishWrite();
  }

  /** What still comes is read and dropped, so that the end is seen. */
  async sendCloseRead(): Promise<void> {
    this.sendResume();
  }

  sendPause(): void {
    if (!this.#held) {
      this.#held = true;
      this.#mayRead = Promise.withResolvers();
    }
  }

  sendResume(): void {
    this.#held = false;
    this.#mayRead.resolve();
  }

  async #read(): Promise<void> {
    try {
      while (this.status === 'open') {
        if (this.#held) await this.#mayRead.promise;
        const bytes = await this.#native.read(READ_BYTES);
        if (bytes === null || bytes === undefined) {
          this.onRemoteCloseWrite();
          return;
        }
        this.onData(new Uint8ArrayList(bytes));
      }
    } catch (error) {
      this.#onReadError(error);
    }
  }

  /** The native part tells what happened in words alone. */
  #onReadError(error: unknown): void {
    if (this.status !== 'open') return;
    if (/reset by peer/.test(errorMessage(error))) this.onRemoteReset();
    else this.abort(toError(error));
  }
}

function ignoreFailure(done: void | Promise<void>): void {
  // Of a stream that is gone already.
  done?.catch(() => {});
}
