import type { MessageStream } from '@libp2p/interface';
import { AbstractMessageStream } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import { Uint8ArrayList } from 'uint8arraylist';

/**
 * The connection as the library's handshake sees it. When the handshake is over, the library gives what it has read too far back by
 * `unshift`, and then listens for records itself: from `end` on it hears nothing, and what it gave back is ours.
 */
export class HandshakeStream extends AbstractMessageStream {
  readonly #connection: MessageStream;
  readonly #left = new Uint8ArrayList();
  #over = false;

  constructor(connection: MessageStream) {
    super({ log: connection.log, direction: connection.direction });
    this.#connection = connection;
    connection.addEventListener('message', this.#onMessage);
    connection.addEventListener('close', this.#onClose);
    connection.addEventListener('drain', this.#onDrain);
  }

  /** The last message of the handshake is there: what comes from now on is ours, even before `end`. */
  keepRest(): void {
    this.#over = true;
  }

  /** Lets go of the connection. Returns the bytes that came behind the handshake. */
  end(): Uint8Array {
    this.#connection.removeEventListener('message', this.#onMessage);
    this.#connection.removeEventListener('close', this.#onClose);
    this.#connection.removeEventListener('drain', this.#onDrain);
    return this.#left.subarray();
  }

  override unshift(bytes: Uint8Array | Uint8ArrayList): void {
    this.#left.prepend(bytes.subarray());
  }

  sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#connection.send(data) };
  }

  sendReset(error: Error): void {
    this.#connection.abort(error);
  }

  sendPause(): void {
    // A handshake is three short messages.
  }

  sendResume(): void {
    // As above.
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  readonly #onMessage = (event: { data: Uint8Array | Uint8ArrayList }): void => {
    if (this.#over) {
      this.#left.append(event.data);
    } else {
      this.onData(event.data);
    }
  };
  readonly #onDrain = (): void => {
    this.safeDispatchEvent('drain');
  };
  readonly #onClose = (event: { error?: Error }): void => this.onTransportClosed(event.error);
}
