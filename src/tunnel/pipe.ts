import type { Socket } from 'node:net';
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { RelaydError, toError } from '../lib/errors.ts';
import { giveCredit, holdCredit } from '../lib/flow.ts';
import { SocketSink } from './socket-sink.ts';
import { resetSocket } from './sockets.ts';

export interface PipeOptions {
  /** Paused, with nothing read from it yet. */
  socket: Socket;
  stream: Stream;
  /** Resets both ends. */
  signal: AbortSignal;
  /** `bytes` of the socket were handed to the stream. */
  onSent: (bytes: number) => void;
  /** `bytes` of the stream arrived. */
  onReceived: (bytes: number) => void;
}

/**
 * Carries bytes both ways between a socket and a stream until both have ended both ways. An end of one direction is
 * passed on by itself; a reset, an error, or the death of the connection underneath resets the other end at once. Owns
 * both ends from the call on.
 *
 * Memory: towards the stream one chunk of the socket (64 KiB) waits; towards the socket what the stream's window allows.
 *
 * @throws RelaydError CLOSED, or what broke either end; both are reset by then
 */
export function carry(options: PipeOptions): Promise<void> {
  return new Pipe(options).run();
}

class Pipe {
  readonly #o: PipeOptions;
  readonly #socket: Socket;
  readonly #stream: Stream;
  readonly #sink: SocketSink;
  readonly #done = Promise.withResolvers<void>();
  readonly #closeStream: () => Promise<void>;
  #error: Error | undefined;
  /** The socket has ended and the stream has been told. */
  #sentEnd = false;
  /** The far side has ended its direction: only this makes an end clean. */
  #remoteEnded = false;
  #endQueued = false;

  constructor(options: PipeOptions) {
    this.#o = options;
    this.#socket = options.socket;
    this.#stream = options.stream;
    this.#sink = new SocketSink(options.socket, {
      onFull: () => holdCredit(options.stream),
      onRoom: () => giveCredit(options.stream),
    });
    this.#closeStream = options.stream.close.bind(options.stream);
  }

  run(): Promise<void> {
    this.#guardClose();
    this.#attachSocket();
    this.#attachStream();
    this.#o.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#o.signal.aborted) {
      this.#onAbort();
    } else if (this.#stream.status !== 'open' || this.#socket.destroyed) {
      this.#fail(connectionLost());
    } else {
      this.#socket.resume();
    }
    return this.#done.promise;
  }

  /**
   * A muxer that closes with its connection first half-closes every stream, which the far side would take for the end of
   * the data. Nobody but this pipe may end its stream cleanly: from anyone else a close is a reset.
   */
  #guardClose(): void {
    this.#stream.close = async () => this.#fail(connectionLost());
  }

  #attachSocket(): void {
    this.#socket.on('data', this.#onData);
    this.#socket.on('end', this.#onSocketEnd);
    this.#socket.on('error', this.#onSocketError);
    this.#socket.on('close', this.#onSocketClose);
  }

  #attachStream(): void {
    this.#stream.addEventListener('drain', this.#onDrain);
    this.#stream.addEventListener('close', this.#onStreamClose);
    this.#stream.addEventListener('end', this.#onRemoteEnd);
    this.#stream.addEventListener('remoteCloseWrite', this.#onRemoteCloseWrite);
    this.#stream.addEventListener('message', this.#onMessage);
    if (this.#stream.status === 'open' && this.#stream.remoteWriteStatus === 'closed') {
      this.#onRemoteCloseWrite();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      if (!this.#stream.send(chunk)) {
        this.#socket.pause();
      }
      this.#o.onSent(chunk.byteLength);
    } catch (error) {
      this.#fail(toError(error));
    }
  };

  /** The stream's own listener sends what it holds in a microtask, which may fill it again: ours looks behind it. */
  readonly #onDrain = (): void => {
    queueMicrotask(() => {
      if (!this.#stream.writableNeedsDrain && !this.#socket.destroyed) {
        this.#socket.resume();
      }
    });
  };

  readonly #onSocketEnd = (): void => {
    this.#sentEnd = true;
    this.#closeStream().catch((error: unknown) => this.#fail(toError(error)));
  };

  readonly #onSocketError = (error: Error): void => this.#fail(error);

  readonly #onSocketClose = (): void => {
    if (!this.#sentEnd || !this.#socket.writableFinished) {
      this.#fail(new RelaydError('CLOSED', 'the TCP connection was closed'));
    }
    this.#settle();
  };

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#o.onReceived(event.data.byteLength);
    try {
      this.#sink.write(event.data);
    } catch (error) {
      this.#fail(toError(error));
    }
    this.#onRemoteEnd();
  };

  readonly #onRemoteCloseWrite = (): void => {
    this.#remoteEnded = true;
    this.#onRemoteEnd();
  };

  /** In a microtask: a muxer may announce the end in front of the data of the same frame. */
  readonly #onRemoteEnd = (): void => {
    if (!this.#remoteEnded || this.#endQueued || this.#stream.readBufferLength > 0) {
      return;
    }
    this.#endQueued = true;
    queueMicrotask(() => {
      this.#endQueued = false;
      if (this.#stream.readBufferLength === 0 && this.#error === undefined) this.#sink.end();
    });
  };

  readonly #onStreamClose = (event: StreamCloseEvent): void => {
    if (event.error !== undefined) {
      this.#fail(event.error);
    } else if (!this.#remoteEnded || !this.#sentEnd) {
      this.#fail(connectionLost());
    }
    this.#settle();
  };

  readonly #onAbort = (): void => this.#fail(toError(this.#o.signal.reason));

  #fail(error: Error): void {
    if (this.#error === undefined) {
      this.#error = error;
      this.#sink.clear();
      resetSocket(this.#socket);
      this.#stream.abort(error);
    }
    this.#settle();
  }

  #settle(): void {
    if (!this.#socket.closed || this.#stream.status === 'open') {
      return;
    }
    this.#o.signal.removeEventListener('abort', this.#onAbort);
    if (this.#error === undefined) this.#done.resolve();
    else this.#done.reject(this.#error);
  }
}

function connectionLost(): RelaydError {
  return new RelaydError('CLOSED', 'the connection under the tunnel was closed');
}
