import type { AbortOptions } from '@libp2p/interface';
import type { SendResult } from '@libp2p/utils';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Uint8ArrayList } from 'uint8arraylist';
import { abortable } from '../../lib/deadline.ts';
import { toError } from '../../lib/errors.ts';
import { SocketGround } from '../native/ground.ts';
import type { Ground, Take } from '../native/ground.ts';
import { TcpConnection } from '../native/tcp-connection.ts';
import type { TcpConnectionInit } from '../native/tcp-connection.ts';
import { startTls } from '../native/tls-ground.ts';
import { handshake } from '../native/tls-handshake.ts';
import { spokenBy } from './first-byte.ts';
import type { Accepted } from './first-byte.ts';
import { CloseCode } from './frames.ts';
import { WebSocketGround } from './ground.ts';
import { acceptUpgrade, checkAnswer, HeadReader, HttpError, refusal, upgradeRequest } from './upgrade.ts';

/** Where a client goes. */
export interface Target {
  /** Name or address. */
  host: string;
  port: number;
  /** Over TLS, with the name that the certificate must be for. */
  tls: { name: string; trustAny: boolean } | undefined;
}

const HTTP_ALPN = 'http/1.1';
const NOTHING = new Uint8Array(0);

/**
 * A connection whose bytes travel in WebSocket frames, or that may turn out to be one: what an accepted socket sends first says what it
 * is. It is handed to the upgrade at once, so that the limits and the deadline of handshakes count TLS and HTTP too.
 */
export class WebSocketConnection extends TcpConnection {
  readonly #accepted: Accepted | undefined;
  /** Until it is whole. */
  #head: HeadReader | undefined = new HeadReader();
  #onHead: (lines: string[]) => void = (lines) => this.#answer(lines);
  #isPlain = false;
  /** The connected socket, or the TLS socket on it. */
  #socket: Socket;
  #below: Ground | undefined;
  #ground: WebSocketGround | undefined;
  #isOver = false;

  /** @throws Error when the peer has gone already */
  constructor({ accepted, ...init }: TcpConnectionInit & { accepted?: Accepted }) {
    super(init);
    this.#accepted = accepted;
    this.#socket = init.socket;
  }

  override get isPlain(): boolean {
    return this.#isPlain;
  }

  /** As a client: TLS where it is asked for, and the upgrade. @throws Error saying what the other side did not do, or the signal's reason */
  async connect({ host, port, tls }: Target, signal: AbortSignal): Promise<void> {
    const { socket: raw } = this.takeSocket();
    if (tls !== undefined) {
      await this.#secure(raw, tls, signal);
    }
    const key = randomBytes(16).toString('base64');
    const answered = new Promise<void>((resolve, reject) => {
      this.#onHead = (lines) => {
        checkAnswer(lines, key);
        resolve();
      };
      this.addEventListener('close', ({ error }) => reject(error ?? new Error('the connection was closed before it was one of WebSocket')), { once: true });
    });
    answered.catch(() => undefined);
    this.#openBelow(this.#below ?? new SocketGround(raw));
    this.#socket.write(upgradeRequest(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, key));
    await abortable(answered, signal);
  }

  override takeGround(): ReturnType<TcpConnection['takeGround']> {
    if (this.#isPlain) {
      return super.takeGround();
    }
    if (this.#ground === undefined) {
      throw new Error('the connection is not one of WebSocket yet');
    }
    this.#socket.off('drain', this.#onSocketDrain);
    const early = this.readBuffer.subarray();
    this.readBuffer.consume(early.byteLength);
    return { ground: this.#ground, early };
  }

  override sendData(data: Uint8ArrayList): SendResult {
    if (this.#isPlain) {
      return super.sendData(data);
    }
    let canSendMore = false;
    for (const piece of this.#ground === undefined ? [] : data) {
      canSendMore = this.#ground?.send(piece) ?? false;
    }
    return { sentBytes: this.#ground === undefined ? 0 : data.byteLength, canSendMore };
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    this.#ground?.end(CloseCode.NORMAL);
    await super.sendClose(options);
  }

  override sendPause(): void {
    if (this.#below === undefined) super.sendPause();
    else this.#below.pause();
  }

  override sendResume(): void {
    if (this.#below === undefined) super.sendResume();
    else this.#below.resume();
  }

  protected override arrived(bytes: Buffer): void {
    if (this.#isPlain) {
      super.arrived(bytes);
      return;
    }
    // Says to who watches the way in that the peer is not a silent one.
    this.onData(NOTHING);
    try {
      this.#begin(bytes);
    } catch (error) {
      this.abort(toError(error));
    }
  }

  #begin(first: Buffer): void {
    const accepted = this.#accepted;
    const spoken = accepted === undefined ? undefined : spokenBy(first[0] as number, accepted);
    if (spoken === 'tcp') {
      this.#isPlain = true;
      super.arrived(first);
    } else if (spoken === 'tls' && accepted?.tls !== undefined) {
      this.#acceptTls(accepted.tls, first);
    } else if (spoken === 'http') {
      this.#openBelow(new SocketGround(this.takeSocket().socket));
      this.#received(first, 0, first.length);
    } else {
      throw new Error('nothing that is spoken on this port');
    }
  }

  #acceptTls({ context, ground: kind }: NonNullable<Accepted['tls']>, first: Buffer): void {
    const { socket, ground } = startTls(kind, this.takeSocket().socket, first, {
      isServer: true,
      secureContext: context(),
      ALPNCallback: ({ protocols }) => protocols.find((protocol) => protocol === HTTP_ALPN),
    });
    this.wrapSocket(socket);
    this.#socket = socket;
    this.remoteAddr = this.remoteAddr.encapsulate('/tls');
    this.#openBelow(ground);
  }

  async #secure(raw: Socket, { name, trustAny }: NonNullable<Target['tls']>, signal: AbortSignal): Promise<void> {
    // By Node's public means: what the fast path leaves out is the check of the certificate.
    const { socket, ground } = startTls('public', raw, NOTHING, { isServer: false, host: name, servername: isIp(name) ? '' : name, rejectUnauthorized: !trustAny, ALPNProtocols: [HTTP_ALPN] });
    this.wrapSocket(socket);
    this.#socket = socket;
    this.#below = ground;
    await handshake(socket, signal);
    if (!socket.authorized && !trustAny) {
      throw new Error(`the certificate of ${name} is not trusted: ${toError(socket.authorizationError).message}`);
    }
  }

  #openBelow(below: Ground): void {
    this.#below = below;
    this.#socket.on('drain', this.#onSocketDrain);
    below.open(this.#received);
  }

  /** The head of the upgrade, and then frames. */
  readonly #received: Take = (chunk, start, end): void => {
    if (this.#isOver || this.status !== 'open') {
      return;
    }
    try {
      const from = this.#ground === undefined ? this.#readHead(chunk, start, end) : start;
      if (from < end) this.#ground?.received(chunk, from, end);
    } catch (error) {
      this.abort(toError(error));
    }
  };

  /** Returns how far it came. */
  #readHead(chunk: Buffer, start: number, end: number): number {
    try {
      const head = this.#head?.read(chunk, start, end);
      if (head === undefined) {
        return end;
      }
      this.#head = undefined;
      this.#onHead(head.lines);
      if (!this.#isOver) this.#becomeWebSocket();
      return head.end;
    } catch (error) {
      if (!(error instanceof HttpError) || this.direction === 'outbound') throw error;
      this.#refuse(error);
      return end;
    }
  }

  #answer(lines: string[]): void {
    this.#socket.write(acceptUpgrade(lines), 'latin1');
  }

  #becomeWebSocket(): void {
    if (this.direction === 'inbound') {
      this.remoteAddr = this.remoteAddr.encapsulate('/ws');
    }
    this.#ground = new WebSocketGround({
      below: this.#below as Ground,
      socket: this.#socket,
      isClient: this.direction === 'outbound',
      take: (bytes, from, to) => this.onData(Buffer.from(bytes.subarray(from, to))),
      onEnd: (error) => this.#end(error),
    });
    this.safeDispatchEvent('drain');
  }

  #refuse(error: HttpError): void {
    this.log('refused: %s', error.message);
    this.#socket.write(refusal(error), 'latin1');
    this.#end();
  }

  /** What was written still leaves; nothing more is read. */
  #end(error?: Error): void {
    this.#isOver = true;
    if (error !== undefined) this.log.error('the peer broke the protocol - %e', error);
    this.#socket.destroySoon();
    this.onTransportClosed();
  }

  readonly #onSocketDrain = (): void => {
    this.safeDispatchEvent('drain');
  };
}

function isIp(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host);
}
