import type { AbortOptions, MessageStream, StreamCloseEvent } from '@libp2p/interface';
import { AbstractMessageStream } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { abortable } from '../../lib/deadline.ts';
import { toError } from '../../lib/errors.ts';
import type { Ground, Take } from './ground.ts';
import { StreamGround } from './ground.ts';
import { Outgoing } from './outgoing.ts';
import type { Sealer } from './outgoing.ts';

/** The reading half of a security protocol. */
export interface Opener {
  /** Hands the plaintext of what has come to `take`, piece by piece. @throws Error when a record is not genuine */
  open(chunk: Buffer, start: number, end: number, take: Take): void;
  /** Gives back the memory of a record of which not all has come. Nothing is opened after that. */
  close?(): void;
}

/** The muxer on top, which has taken the link over. */
export interface LinkUser {
  /** Plaintext, valid only during the call. @throws Error when the other side breaks the protocol; the link is aborted then */
  received: Take;
  /** There is room again in `outgoing`. */
  roomCame(): void;
}

export interface LinkOptions {
  /** The connection underneath, whose end is the link's. */
  connection: MessageStream;
  ground: Ground;
  sealer: Sealer;
  opener: Opener;
  /** Bytes that had come before the link was made, still sealed. */
  early?: Uint8Array;
  /** Says to the other side that nothing more comes, where closing the connection does not. Resolves when that has left, or never will. */
  lastWord?: () => Promise<void>;
}

/** No security of its own. */
export const PLAIN: { sealer: Sealer; opener: Opener } = {
  sealer: { head: 0, tail: 0, maxPayloadBytes: Number.MAX_SAFE_INTEGER, seal: () => undefined },
  opener: { open: (chunk, start, end, take) => take(chunk, start, end) },
};

/**
 * A secured connection: to libp2p a stream of messages, to our own muxer something cheaper. The muxer writes its frames into the
 * block that will be sent, and is handed plaintext where it was decrypted.
 */
export class SecureLink extends AbstractMessageStream {
  readonly outgoing: Outgoing;
  readonly #connection: MessageStream;
  readonly #ground: Ground;
  readonly #opener: Opener;
  readonly #lastWord: (() => Promise<void>) | undefined;
  #isClosing = false;
  #user: LinkUser | undefined;
  #early: Buffer | undefined;
  #paused = false;

  /** A link over any connection that is secure already. */
  static plain(connection: MessageStream): SecureLink {
    return new SecureLink({ connection, ground: new StreamGround(connection), ...PLAIN });
  }

  constructor({ connection, ground, sealer, opener, early, lastWord }: LinkOptions) {
    super({ log: connection.log, direction: connection.direction, inactivityTimeout: connection.inactivityTimeout });
    this.#connection = connection;
    this.#ground = ground;
    this.#opener = opener;
    this.#lastWord = lastWord;
    this.outgoing = new Outgoing(
      ground,
      sealer,
      () => this.#roomCame(),
      (error) => this.#failed(error),
    );
    connection.addEventListener('close', this.#onConnectionClose);
    if (early !== undefined && early.byteLength > 0) {
      this.#early = Buffer.from(early);
      queueMicrotask(() => this.#takeEarly());
    }
    ground.open(this.#arrived);
    if (connection.status !== 'open') {
      queueMicrotask(() => {
        this.#release();
        this.onTransportClosed();
      });
    }
  }

  /** From now on plaintext goes to `user`. What waits here is given to it as a message, in the same turn. */
  takeOver(user: LinkUser): void {
    this.#user = user;
  }

  /** Before the muxer is there, and for a stock muxer. */
  sendData(data: Uint8ArrayList): SendResult {
    let sentBytes = 0;
    for (const piece of data) {
      let at = 0;
      while (at < piece.byteLength) {
        const bytes = Math.min(this.outgoing.room(1), piece.byteLength - at);
        if (bytes === 0) {
          return { sentBytes, canSendMore: false };
        }
        this.outgoing.bytes.set(piece.subarray(at, at + bytes), this.outgoing.at);
        this.outgoing.wrote(bytes);
        at += bytes;
        sentBytes += bytes;
      }
    }
    return { sentBytes, canSendMore: true };
  }

  sendReset(error: Error): void {
    this.#release();
    this.#connection.abort(error);
  }

  sendPause(): void {
    this.#ground.pause();
  }

  sendResume(): void {
    this.#ground.resume();
  }

  /** Resolves when what was written is with the kernel. @throws the signal's reason */
  async flushed({ signal }: AbortOptions = {}): Promise<void> {
    await unless(signal, this.outgoing.whenEmpty());
  }

  /** Sends what waits, then closes the connection. */
  async close(options?: AbortOptions): Promise<void> {
    await this.flushed(options);
    if (this.#lastWord !== undefined) {
      this.#isClosing = true;
      await unless(options?.signal, this.#lastWord());
    }
    await this.#connection.close(options);
  }

  /** In a turn of its own, unless something comes before. */
  #takeEarly(): void {
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) {
      this.#arrived(early, 0, early.length);
    }
  }

  readonly #arrived: Take = (chunk, start, end): void => {
    if (this.#early !== undefined) {
      this.#takeEarly();
    }
    if (this.status !== 'open') {
      return;
    }
    try {
      this.#opener.open(chunk, start, end, this.#deliver);
    } catch (error) {
      this.abort(toError(error));
      return;
    }
    if (this.outgoing.congested && !this.#paused) {
      this.#paused = true;
      this.#ground.pause();
    }
  };

  readonly #deliver: Take = (chunk, start, end): void => {
    if (this.status !== 'open' || start === end) {
      return;
    }
    if (this.#user === undefined || this.readBuffer.byteLength > 0) {
      // Behind what waits for the muxer.
      this.onData(Buffer.from(chunk.subarray(start, end)));
    } else {
      this.#user.received(chunk, start, end);
    }
  };

  #roomCame(): void {
    if (this.#paused && !this.outgoing.congested) {
      this.#paused = false;
      this.#ground.resume();
    }
    if (this.#user === undefined) {
      this.safeDispatchEvent('drain');
    } else {
      this.#user.roomCame();
    }
  }

  /** A connection that is closing takes nothing more, and its end is on its way: to abort it would lose what it still has to send. */
  #failed(error: Error): void {
    if (this.status === 'open' && this.#connection.status === 'open' && !this.#isClosing) this.abort(error);
  }

  #release(): void {
    this.outgoing.close();
    this.#opener.close?.();
  }

  readonly #onConnectionClose = (event: StreamCloseEvent): void => {
    this.#release();
    if (event.error === undefined) {
      this.onTransportClosed();
    } else if (event.local === true) {
      this.abort(event.error);
    } else if (this.status === 'open') {
      this.onRemoteReset();
    }
  };
}

/** @throws the signal's reason */
async function unless(signal: AbortSignal | undefined, promise: Promise<void>): Promise<void> {
  await (signal === undefined ? promise : abortable(promise, signal));
}
