import type { ConnectionProtector, MultiaddrConnection, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import type { Libp2pOptions } from 'libp2p';
import type { Uint8ArrayList } from 'uint8arraylist';
import { abortable } from '../../../src/lib/deadline.ts';

/**
 * The network of one libp2p node, which can be cut: silently, as where a cable is pulled. Nothing arrives or leaves then, no end of a connection either; what
 * was sent meanwhile comes when it is healed, as TCP sends it again. New connections hang.
 */
export class Network {
  #healed: PromiseWithResolvers<void> | undefined;
  readonly #connections = new Set<TappedConnection>();

  get isCut(): boolean {
    return this.#healed !== undefined;
  }

  cut(): void {
    this.#healed ??= Promise.withResolvers();
  }

  /** The connections that there are bring and take nothing any more, until it is healed; new ones work. */
  stall(): void {
    this.#connections.forEach((connection) => connection.stall());
  }

  heal(): void {
    this.#healed?.resolve();
    this.#healed = undefined;
    this.#connections.forEach((connection) => connection.flush());
  }

  /** For `connectionProtector` of createLibp2p. */
  readonly protector: NonNullable<Libp2pOptions['connectionProtector']> = () => {
    const protector: ConnectionProtector = {
      protect: async (connection, options) => {
        const signal = options?.signal ?? AbortSignal.timeout(60_000);
        while (this.#healed !== undefined) await abortable(this.#healed.promise, signal);
        const tapped = new TappedConnection(connection as MultiaddrConnection, this);
        this.#connections.add(tapped);
        tapped.addEventListener('close', () => this.#connections.delete(tapped));
        return tapped;
      },
    };
    return protector;
  };
}

/** A connection whose two directions wait while its network is cut. */
class TappedConnection extends AbstractMultiaddrConnection {
  readonly #inner: MultiaddrConnection;
  readonly #network: Network;
  #waiting: (() => void)[] = [];
  #isStalled = false;

  constructor(inner: MultiaddrConnection, network: Network) {
    super({ log: inner.log, remoteAddr: inner.remoteAddr, direction: inner.direction });
    this.#inner = inner;
    this.#network = network;
    inner.addEventListener('message', (event: StreamMessageEvent) => this.#whenHealed(() => this.onData(event.data)));
    inner.addEventListener('drain', () => this.onMuxerDrain());
    inner.addEventListener('close', (event: StreamCloseEvent) => this.#whenHealed(() => this.#onInnerClose(event)));
  }

  stall(): void {
    this.#isStalled = true;
  }

  flush(): void {
    this.#isStalled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((work) => work());
  }

  sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.slice();
    this.#whenHealed(() => {
      if (this.#inner.status === 'open') this.#inner.send(bytes);
    });
    return { sentBytes: bytes.byteLength, canSendMore: true };
  }

  async sendClose(): Promise<void> {
    this.#whenHealed(() => void this.#inner.close().catch(() => {}));
  }

  sendReset(error: Error): void {
    this.#whenHealed(() => this.#inner.abort(error));
  }

  sendPause(): void {
    this.#inner.pause();
  }

  sendResume(): void {
    this.#inner.resume();
  }

  #onInnerClose(event: StreamCloseEvent): void {
    if (event.error === undefined) this.onTransportClosed();
    else if (event.local === true) this.abort(event.error);
    else this.onRemoteReset();
  }

  #whenHealed(work: () => void): void {
    if (this.#network.isCut || this.#isStalled) this.#waiting.push(work);
    else work();
  }
}
