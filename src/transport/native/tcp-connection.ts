import type { AbortOptions, ComponentLogger, MessageStreamDirection } from '@libp2p/interface';
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Uint8ArrayList } from 'uint8arraylist';
import { SocketGround } from './ground.ts';
import type { Ground } from './ground.ts';

export interface TcpConnectionInit {
  socket: Socket;
  direction: MessageStreamDirection;
  logger: ComponentLogger;
  /** What was dialled; an accepted socket says itself where it comes from. */
  remoteAddr?: Multiaddr;
}

/**
 * A TCP connection that can be asked for its socket. Encryption takes it, so that bytes need not pass through the events of a
 * libp2p stream; the connection stays what is closed, aborted and watched.
 *
 * There is no timer on the socket: an upgrade has a deadline of its own, and the muxer notices a peer that has gone silent.
 */
export class TcpConnection extends AbstractMultiaddrConnection {
  /** What is closed or destroyed: the accepted or connected socket, or the TLS socket that wraps it. */
  #socket: Socket;
  #taken = false;

  /** @throws Error when the peer has gone already */
  constructor({ socket, direction, logger, remoteAddr }: TcpConnectionInit) {
    super({ direction, log: logger.forComponent('libp2p:tcp:connection'), remoteAddr: remoteAddr ?? addrOf(socket) });
    this.#socket = socket;
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    this.#watch(socket);
  }

  /** True where nothing stands between the socket and libp2p's bytes: TLS can then be done on the socket itself. */
  get isPlain(): boolean {
    return true;
  }

  /** What carries libp2p's bytes from now on, and what had come already. Once only. */
  takeGround(): { ground: Ground; early: Uint8Array } {
    const { socket, early } = this.takeSocket();
    return { ground: new SocketGround(socket), early };
  }

  /** The socket, which nobody reads any more, and what had come from it already. Once only. */
  takeSocket(): { socket: Socket; early: Uint8Array } {
    if (this.#taken) {
      throw new Error('the socket has been taken');
    }
    this.#taken = true;
    this.#socket.off('data', this.#onData);
    this.#socket.off('drain', this.#onDrain);
    const early = this.readBuffer.subarray();
    this.readBuffer.consume(early.byteLength);
    return { socket: this.#socket, early };
  }

  /** `socket` wraps the one that was taken; its end is the connection's, and closing goes through it. */
  wrapSocket(socket: Socket): void {
    this.#socket = socket;
    this.#watch(socket);
  }

  sendData(data: Uint8ArrayList): SendResult {
    let canSendMore = true;
    for (const piece of data) {
      canSendMore = this.#socket.write(piece);
    }
    return { sentBytes: data.byteLength, canSendMore };
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    const socket = this.#socket;
    if (!socket.destroyed) {
      socket.destroySoon();
      await once(socket, 'close', options);
    }
  }

  /** A reset on the wire, which says that bytes may be missing; not possible once the end has been sent. */
  sendReset(): void {
    if (this.#socket.writableEnded) {
      this.#socket.destroy();
    } else {
      this.#socket.resetAndDestroy();
    }
  }

  sendPause(): void {
    this.#socket.pause();
  }

  sendResume(): void {
    this.#socket.resume();
  }

  /** Bytes of the socket, until it is taken. */
  protected arrived(bytes: Buffer): void {
    this.onData(bytes);
  }

  readonly #onData = (bytes: Buffer): void => this.arrived(bytes);
  readonly #onDrain = (): void => {
    this.safeDispatchEvent('drain');
  };

  #watch(socket: Socket): void {
    socket.on('error', (error) => this.abort(error));
    // Nothing above can use half a connection, and a peer that ends its half and reads no more would hold the socket for ever.
    socket.once('end', () => {
      this.onTransportClosed();
      socket.destroy();
    });
    socket.once('close', (hadError) => (hadError ? this.abort(new Error('the TCP connection failed')) : this.onTransportClosed()));
  }
}

function addrOf(socket: Socket): Multiaddr {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) {
    throw new Error('the peer has gone');
  }
  return ipPortToMultiaddr(remoteAddress, remotePort);
}
