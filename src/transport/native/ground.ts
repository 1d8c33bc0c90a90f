import type { MessageStream, MessageStreamReadStatus } from '@libp2p/interface';
import type { Socket } from 'node:net';
import { Uint8ArrayList } from 'uint8arraylist';
import { toError } from '../../lib/errors.ts';
import { freeNow } from '../../lib/block-pool.ts';
import { turn } from './turn.ts';

/** Takes bytes of `chunk` from `start` to `end`, which are valid only during the call. */
export type Take = (chunk: Buffer, start: number, end: number) => void;

/** Called when a write has been taken, or never will be. */
export type Done = (error?: Error | null) => void;

/** What a secured connection stands on: whole bytes in order, out and in. Closing is the affair of the connection itself. */
export interface Ground {
  /** So many bytes before what is written are the ground's own, and `write` is given them as well. None by default. */
  readonly headRoomBytes?: number;
  /** From now on bytes go to `take`. Called once. */
  open(take: Take): void;
  /** `bytes` must not change before `done`, which is never called during this call. One write at a time. */
  write(bytes: Buffer, done: Done): void;
  /** As `write`, without head room, for pieces whose memory is the ground's from now on. */
  writeOwned(pieces: readonly Buffer[], done: Done): void;
  pause(): void;
  resume(): void;
}

/**
 * How much one connection is read in a turn of the event loop. Without it Node goes on for as long as bytes come, up to 2 MiB, while all others
 * wait.
 */
const BYTES_PER_TURN = 128 * 1024;

/** The last write tells how the others went. */
const ignore = (): void => undefined;

/** A socket of Node, plain or TLS, that is read by turns. */
export class SocketGround implements Ground {
  readonly #socket: Socket;
  #readBytes = 0;
  #held = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  open(take: Take): void {
    this.#socket.on('data', (chunk: Buffer) => {
      take(chunk, 0, chunk.length);
      if (!this.count(chunk.length)) {
        this.#socket.pause();
      }
      freeNow(chunk);
    });
  }

  write(bytes: Buffer, done: Done): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      // Writing after the end would raise an error that nobody listens for.
      process.nextTick(done, new Error('the connection is closed'));
    } else {
      this.#socket.write(bytes, done);
    }
  }

  /** In one call of the kernel. */
  writeOwned(pieces: readonly Buffer[], done: Done): void {
    const last = pieces.at(-1) ?? Buffer.alloc(0);
    this.#socket.cork();
    for (const piece of pieces.slice(0, -1)) {
      this.write(piece, ignore);
    }
    this.write(last, (error) => {
      pieces.forEach(freeNow);
      done(error);
    });
    this.#socket.uncork();
  }

  pause(): void {
    this.#held = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#held = false;
    this.#socket.resume();
  }

  /** Counts bytes that were read. False when it is the others' turn: reading stops then, and goes on in the next one. */
  count(bytes: number): boolean {
    if (this.#readBytes === 0) {
      turn.atEnd(this.#nextTurn);
    }
    this.#readBytes += bytes;
    return this.#readBytes < BYTES_PER_TURN;
  }

  readonly #nextTurn = (): void => {
    const stopped = this.#readBytes >= BYTES_PER_TURN;
    this.#readBytes = 0;
    if (stopped && !this.#held) {
      this.#socket.resume();
    }
  };
}

/** Any byte stream of libp2p: a circuit, a connection of a private network, or one that stock encryption has secured. */
export class StreamGround implements Ground {
  readonly #stream: MessageStream;
  #waiting: Done | undefined;

  constructor(stream: MessageStream) {
    this.#stream = stream;
  }

  open(take: Take): void {
    this.#stream.addEventListener('drain', () => this.#settle());
    this.#stream.addEventListener('close', (event) => this.#settle(event.error ?? new Error('the connection is closed')));
    this.#stream.addEventListener('message', (event) => {
      const list = event.data instanceof Uint8Array ? [event.data] : event.data;
      for (const piece of list) {
        take(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength), 0, piece.byteLength);
      }
    });
  }

  /** The stream may keep what it is given, so it gets a copy. */
  write(bytes: Buffer, done: Done): void {
    this.#send(new Uint8Array(bytes), done);
  }

  writeOwned(pieces: readonly Buffer[], done: Done): void {
    this.#send(new Uint8ArrayList(...pieces), done);
  }

  pause(): void {
    if (isReadable(this.#stream)) this.#stream.pause();
  }

  resume(): void {
    if (isReadable(this.#stream)) this.#stream.resume();
  }

  #send(bytes: Uint8Array | Uint8ArrayList, done: Done): void {
    try {
      if (this.#stream.send(bytes)) {
        queueMicrotask(done);
      } else {
        this.#waiting = done;
      }
    } catch (error) {
      queueMicrotask(() => done(toError(error)));
    }
  }

  #settle(error?: Error): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.(error);
  }
}

/** A stream whose other side has ended can be neither paused nor resumed, although it is open: it would throw. */
function isReadable(stream: MessageStream & { readStatus?: MessageStreamReadStatus }): boolean {
  return stream.status === 'open' && stream.readStatus !== 'closing' && stream.readStatus !== 'closed';
}
