import type { AbortOptions, Logger, Stream, StreamCloseEvent } from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Uint8ArrayList } from 'uint8arraylist';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { toError } from '../lib/errors.ts';
import { giveCredit, holdCredit } from '../lib/flow.ts';
import { LINGER_MS } from '../lib/close-stream.ts';

interface StreamConnectionInit {
  stream: Stream;
  remoteAddr: Multiaddr;
  log: Logger;
  clock?: Clock;
}

/**
 * What may wait here for a paused reader: the most that stock yamux lets a sender send ahead (a window of 16 MiB),
 * and the frame being read. A smaller bound would reset a circuit whose sender did nothing wrong.
 */
const MAX_WAITING_BYTES = 17 * 1024 * 1024;

/**
 * A circuit as the raw connection that libp2p's upgrader secures and multiplexes.
 *
 * Writing: `send` tells by `false` that the relay's window is used up, and `drain` follows. Reading: pausing holds
 * window credit back (lib/flow.ts says why `stream.pause()` is not used); what still comes waits in the read buffer.
 *
 * The relay passes on an end of writing. A connection whose other side has ended carries nothing more for us, so
 * what is queued is sent and our side is ended too. The stream closing for any reason (the relay's connection gone)
 * closes the connection at once.
 */
export class StreamConnection extends AbstractMultiaddrConnection {
  readonly #stream: Stream;
  readonly #clock: Clock;

  constructor(init: StreamConnectionInit) {
    super({ direction: init.stream.direction, remoteAddr: init.remoteAddr, log: init.log, maxReadBufferLength: MAX_WAITING_BYTES });
    this.#stream = init.stream;
    this.#clock = init.clock ?? systemClock;
    const { stream } = init;
    stream.addEventListener('close', (event) => this.#onStreamClose(event));
    stream.addEventListener('remoteCloseWrite', () => this.#onStreamEnd());
    stream.addEventListener('drain', () => this.safeDispatchEvent('drain'));
    stream.addEventListener('message', (event) => this.onData(event.data));
    this.#catchUp();
  }

  /** Never throws: the muxer above sends from microtasks, where an error would end the process. */
  sendData(data: Uint8ArrayList): SendResult {
    const sentBytes = data.byteLength;
    try {
      return { sentBytes, canSendMore: this.#stream.send(data) };
    } catch (error) {
      queueMicrotask(() => this.abort(toError(error)));
      return { sentBytes, canSendMore: false };
    }
  }

  sendReset(error: Error): void {
    this.#stream.abort(error);
  }

  sendPause(): void {
    holdCredit(this.#stream);
  }

  sendResume(): void {
    giveCredit(this.#stream);
  }

  /** Ends our half; a relay or peer that never ends the other is not waited for longer than the linger time. */
  async sendClose(options?: AbortOptions): Promise<void> {
    const timer = this.#clock.setTimer(() => this.#stream.abort(new Error('the other side did not end the circuit')), LINGER_MS);
    if (this.#stream.status !== 'open') {
      timer.cancel();
    }
    this.#stream.addEventListener('close', () => timer.cancel(), { once: true });
    await this.#stream.close(options);
  }

  #onStreamClose(event: StreamCloseEvent): void {
    if (event.error === undefined) {
      this.onTransportClosed();
    } else if (event.local === true) {
      this.abort(event.error);
    } else if (this.status !== 'aborted' && this.status !== 'reset' && this.status !== 'closed') {
      this.onRemoteReset();
    }
  }

  #onStreamEnd(): void {
    this.onRemoteCloseWrite();
    // After this turn: whoever was told by the event may still answer.
    setImmediate(() => {
      this.close({ signal: AbortSignal.timeout(LINGER_MS) }).catch((error: Error) => this.abort(error));
    });
  }

  /** The stream may have ended before anyone listened. */
  #catchUp(): void {
    if (this.#stream.status !== 'open') {
      queueMicrotask(() => this.onTransportClosed());
    } else if (this.#stream.remoteWriteStatus !== 'writable' && this.#stream.readBufferLength === 0) {
      queueMicrotask(() => this.#onStreamEnd());
    }
  }
}
