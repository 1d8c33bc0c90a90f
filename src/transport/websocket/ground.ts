import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { toError } from '../../lib/errors.ts';
import type { Done, Ground, Take } from '../native/ground.ts';
import { CloseCode, FrameError, FrameReader, headerOf, MAX_HEADER_BYTES, Opcode, writeHeader } from './frames.ts';

export interface WebSocketGroundOptions {
  /** What the frames come from, and what is paused. */
  below: Ground;
  /** What they are written to: the connected socket, or the TLS socket on it. */
  socket: Socket;
  isClient: boolean;
  /** Has the data until the ground is opened. */
  take: Take;
  /** The other side has closed, or broke the protocol. */
  onEnd(error?: Error): void;
}

/** What libp2p's bytes stand on where they travel in WebSocket frames: where a frame begins and ends means nothing. */
export class WebSocketGround implements Ground {
  readonly headRoomBytes = MAX_HEADER_BYTES;
  readonly #o: WebSocketGroundOptions;
  readonly #reader: FrameReader;
  #take: Take;
  #ended = false;
  #ponging = false;
  #nextPong: Buffer | undefined;

  constructor(options: WebSocketGroundOptions) {
    this.#o = options;
    this.#take = options.take;
    this.#reader = new FrameReader(!options.isClient, { data: (chunk, start, end) => this.#take(chunk, start, end), ping: (payload) => this.#pong(payload), close: () => this.#closed() });
  }

  /** Frames, or pieces of them. */
  readonly received: Take = (chunk, start, end): void => {
    try {
      this.#reader.read(chunk, start, end);
    } catch (error) {
      this.end(error instanceof FrameError ? error.code : CloseCode.PROTOCOL_ERROR);
      this.#o.onEnd(toError(error));
    }
  };

  open(take: Take): void {
    this.#take = take;
  }

  /** In one frame, whose header is put into the head room. A client's is masked where it is: nobody reads what was written again. */
  write(bytes: Buffer, done: Done): void {
    this.#o.below.write(bytes.subarray(writeHeader(bytes, MAX_HEADER_BYTES, Opcode.BINARY, this.#key())), done);
  }

  writeOwned(pieces: readonly Buffer[], done: Done): void {
    this.#o.below.writeOwned([headerOf(pieces, Opcode.BINARY, this.#key()), ...pieces], done);
  }

  pause(): void {
    this.#o.below.pause();
  }

  resume(): void {
    this.#o.below.resume();
  }

  /** Sends a copy, in a frame of its own, before the ground is opened. Returns whether the socket takes more. */
  send(bytes: Uint8Array): boolean {
    return this.#frame(Opcode.BINARY, bytes);
  }

  /** Says that this was all. Once only. */
  end(code: number): void {
    if (!this.#ended) {
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      this.#frame(Opcode.CLOSE, payload);
      this.#ended = true;
    }
  }

  #closed(): void {
    this.end(CloseCode.NORMAL);
    this.#o.onEnd();
  }

  /** One at a time: whoever asks faster than he reads gets an answer to his last question (RFC 6455, 5.5.3). */
  #pong(payload: Buffer): void {
    if (this.#ponging) {
      this.#nextPong = payload;
      return;
    }
    this.#ponging = true;
    this.#frame(Opcode.PONG, payload, () => {
      this.#ponging = false;
      const next = this.#nextPong;
      this.#nextPong = undefined;
      if (next !== undefined) this.#pong(next);
    });
  }

  #frame(opcode: number, payload: Uint8Array, done?: () => void): boolean {
    const { socket } = this.#o;
    if (this.#ended || socket.destroyed || socket.writableEnded) {
      return false;
    }
    const bytes = Buffer.allocUnsafe(MAX_HEADER_BYTES + payload.length);
    bytes.set(payload, MAX_HEADER_BYTES);
    return socket.write(bytes.subarray(writeHeader(bytes, MAX_HEADER_BYTES, opcode, this.#key())), done);
  }

  /** Nobody may be able to choose what a client puts on the wire (RFC 6455, 10.3). */
  #key(): Buffer | undefined {
    return this.#o.isClient ? randomBytes(4) : undefined;
  }
}
