import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, TLSSocket } from 'node:tls';
import type { ConnectionOptions, TLSSocketOptions } from 'node:tls';
import { SocketGround } from './ground.ts';
import type { Done, Ground, Take } from './ground.ts';
import { FastTlsSocket, newReadBuffer } from './tls-fast-socket.ts';

/** `fast` relies on parts of Node that are not public, `public` does not and costs a sixth more CPU a byte. */
export type GroundKind = 'fast' | 'public';

/** Node's, and for a client whose name it asks for and checks. */
export type StartOptions = TLSSocketOptions & Pick<ConnectionOptions, 'host' | 'servername'>;

/** A TLS socket whose handshake has begun, and what a link stands on once it is over. */
export interface TlsGround {
  readonly socket: TLSSocket;
  readonly ground: Ground;
}

/**
 * Begins TLS on a connected socket, in the same turn in which its reader let go of it; `early` is what that reader had got. An error of
 * TLS or of the socket underneath ends the TLS socket and comes as its `error`, for which the caller listens at once.
 */
export function startTls(kind: GroundKind, raw: Socket, early: Uint8Array, options: StartOptions): TlsGround {
  // Else what is in its buffer, or put back there, would be thrown away.
  raw.pause();
  const made = kind === 'fast' ? fastTls(raw, early, options) : publicTls(raw, early, options);
  endOnError(made.socket);
  resetThrough(made.socket, raw);
  return made;
}

/** Errors behind the handshake are raised under this name alone unless a server or a client of Node's own has made the socket. */
export function endOnError(socket: TLSSocket): void {
  socket.on('_tlsError', (error: Error) => socket.destroy(error));
}

function fastTls(raw: Socket, early: Uint8Array, options: StartOptions): TlsGround {
  const buffered = raw.read() as Buffer | null;
  const all = buffered === null ? early : Buffer.concat([early, buffered]);
  const ground = new FastTlsGround({ raw, early: all, options, buffer: readBuffer, byTurns: true });
  return { socket: ground.socket, ground };
}

function publicTls(raw: Socket, early: Uint8Array, options: StartOptions): TlsGround {
  if (early.length > 0) {
    raw.unshift(early);
  }
  return overStream(raw, options);
}

/** By Node's public means alone. */
export function overStream(raw: Duplex, options: StartOptions): TlsGround {
  const socket = options.isServer === true ? new TLSSocket(raw, options) : connect({ ...options, socket: raw });
  return { socket, ground: new SocketGround(socket) };
}

/** Node resets TCP sockets only. Before the handshake is over the connection is closed instead: a reset could overtake the alert that says why. */
function resetThrough(socket: TLSSocket, raw: Socket): void {
  let secure = false;
  socket.once('secure', () => (secure = true));
  socket.resetAndDestroy = () => {
    if (secure) {
      raw.resetAndDestroy();
    } else {
      socket.destroy();
    }
    return socket;
  };
}

/** For all connections on sockets: Node hands over the plaintext of one after the other. */
const readBuffer = newReadBuffer();

interface FastTlsGroundOptions {
  raw: Socket;
  early: Uint8Array;
  options: StartOptions;
  /** Where plaintext arrives. */
  buffer: Buffer;
  /** Whether what is read in a turn of the event loop is limited here, and not underneath. */
  byTurns: boolean;
}

/** Plaintext that arrives in a buffer which others use as well. */
export class FastTlsGround implements Ground {
  readonly socket: FastTlsSocket;
  readonly #socketGround: SocketGround;
  readonly #buffer: Buffer;
  readonly #byTurns: boolean;
  /** What came behind the handshake, until there is somebody to take it. */
  #held: Buffer[] = [];
  #take: Take | undefined;
  #paused = false;

  constructor({ raw, early, options, buffer, byTurns }: FastTlsGroundOptions) {
    this.#buffer = buffer;
    this.#byTurns = byTurns;
    this.socket = new FastTlsSocket({ ...options, raw, readBuffer: buffer, onPlaintext: (bytes) => this.#arrived(bytes) }, early);
    this.#socketGround = new SocketGround(this.socket);
  }

  open(take: Take): void {
    queueMicrotask(() => {
      this.#take = take;
      const held = this.#held;
      this.#held = [];
      held.forEach((chunk) => take(chunk, 0, chunk.length));
      if (held.length > 0 && !this.#paused) this.resume();
    });
  }

  write(bytes: Buffer, done: Done): void {
    this.#socketGround.write(bytes, done);
  }

  writeOwned(pieces: readonly Buffer[], done: Done): void {
    this.#socketGround.writeOwned(pieces, done);
  }

  pause(): void {
    this.#paused = true;
    this.#socketGround.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socketGround.resume();
  }

  /** Stops reading while nobody takes; the records that were read already still come. */
  #arrived(bytes: number): boolean {
    if (this.#take === undefined) {
      this.#held.push(Buffer.from(this.#buffer.subarray(0, bytes)));
      return false;
    }
    this.#take(this.#buffer, 0, bytes);
    return !this.#byTurns || this.#socketGround.count(bytes);
  }
}
