import type { Socket } from 'node:net';
import type { Uint8ArrayList } from 'uint8arraylist';
import { RelaydError } from '../lib/errors.ts';
import { ByteQueue } from './byte-queue.ts';
import { HOLD_BYTES, MAX_HELD_BYTES } from './limits.ts';

/** Handed to the socket in one go while it is slow: small, so that credit comes back in small steps. */
const BATCH_BYTES = 128 * 1024;

export interface SocketSinkEvents {
  /** More waits than the socket takes: the sender should get no more credit. */
  onFull(): void;
  /** The socket has caught up. */
  onRoom(): void;
}

/**
 * The way into a socket. What the socket takes at once is written at once; what it does not waits here, one batch in
 * the socket at a time. The end is passed on only when every byte before it is with the kernel.
 */
export class SocketSink {
  readonly #socket: Socket;
  readonly #events: SocketSinkEvents;
  readonly #queue = new ByteQueue();
  #full = false;
  #ending = false;

  constructor(socket: Socket, events: SocketSinkEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  /** Bytes that the kernel has not taken yet. */
  get heldBytes(): number {
    return this.#queue.byteLength + this.#socket.writableLength;
  }

  /** @throws RelaydError CLOSED when more waits than may */
  write(data: Uint8Array | Uint8ArrayList): void {
    if (this.#socket.destroyed || this.#ending) {
      return;
    }
    if (this.#socket.writableLength === 0 && this.#queue.byteLength === 0) {
      this.#send(data instanceof Uint8Array ? [data] : [...data]);
    } else {
      this.#wait(data);
    }
    this.#settle();
  }

  /** No more will be written; the socket is ended behind what waits. */
  end(): void {
    this.#ending = true;
    this.#endIfFlushed();
  }

  /** Drops what waits. */
  clear(): void {
    this.#queue.clear();
  }

  #wait(data: Uint8Array | Uint8ArrayList): void {
    if (data instanceof Uint8Array) {
      this.#queue.push(data);
    } else {
      for (const piece of data) this.#queue.push(piece);
    }
    if (this.heldBytes > MAX_HELD_BYTES) {
      throw new RelaydError('CLOSED', `more than ${MAX_HELD_BYTES} bytes wait for a reader that stands still`);
    }
  }

  #send(pieces: Uint8Array[]): void {
    if (pieces.length === 1 && pieces[0] !== undefined) {
      this.#socket.write(pieces[0], this.#onWritten);
      return;
    }
    this.#socket.cork();
    pieces.forEach((piece) => this.#socket.write(piece, this.#onWritten));
    this.#socket.uncork();
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.#socket.destroyed) {
      return;
    }
    if (this.#socket.writableLength === 0 && this.#queue.byteLength > 0) {
      this.#send(this.#queue.take(BATCH_BYTES));
    }
    this.#settle();
    this.#endIfFlushed();
  };

  #settle(): void {
    const full = this.heldBytes > HOLD_BYTES;
    if (full !== this.#full) {
      this.#full = full;
      if (full) this.#events.onFull();
      else this.#events.onRoom();
    }
  }

  #endIfFlushed(): void {
    if (this.#ending && this.heldBytes === 0 && !this.#socket.writableEnded && !this.#socket.destroyed) {
      this.#socket.end();
    }
  }
}
