import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { SecureContext, TLSSocketOptions } from 'node:tls';

/** Node hands over a TLS record at a time, which is at most 16 KiB of plaintext. */
const READ_BYTES = 64 * 1024;

/** Where the plaintext of many connections arrives, one piece after the other. */
export function newReadBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(READ_BYTES);
}

/** Node's options with what `FastTlsSocket` adds. */
export interface FastTlsOptions extends TLSSocketOptions {
  /** The connected socket underneath, which nobody reads or writes any more. */
  raw: Socket;
  readBuffer: Buffer;
  /** So many bytes of plaintext are in `readBuffer`, until the call returns. Return false to stop reading. */
  onPlaintext: (bytes: number) => boolean;
}

/** What is used here of Node's `_tls_wrap.js`, and is not public. The self-test (tls-self-test.ts) finds out whether it does as expected. */
interface Internals {
  readonly _handle: { receive(bytes: Uint8Array): void; writesIssuedByPrevListenerDone(): void } | null;
  readonly _tlsOptions: FastTlsOptions;
  _wrapHandle(wrap: Socket, handle: unknown, writing: boolean): unknown;
  _init(socket: Socket, wrap: Socket): void;
  _start(): void;
}

const Base = TLSSocket as unknown as new (socket: Duplex | undefined, options: object) => TLSSocket & Internals;

/**
 * A TLS socket on a connected socket that reads into one buffer for the whole process. By itself Node allocates an ArrayBuffer for
 * every record, which costs even when it is given back at once, and far more when it is left to the collector (docs/decisions/0007).
 * Its option against that, `onread`, is ignored for a TLS socket on a connected socket, so this one is made as if it were to connect
 * by itself, and given the connected socket where it would make its own.
 */
export class FastTlsSocket extends Base {
  /** @param early what had come from the socket already */
  constructor(options: FastTlsOptions, early: Uint8Array) {
    super(undefined, { ...options, onread: { buffer: options.readBuffer, callback: options.onPlaintext } });
    const { raw, isServer } = options;
    if (raw.writableLength > 0) {
      // As Node does it: written behind what is on its way, and so called after it.
      raw.write('', () => this._handle?.writesIssuedByPrevListenerDone());
    }
    if (isServer !== true) {
      this._start();
    }
    if (early.length > 0) {
      process.nextTick(() => this.receive(early));
    }
  }

  /** Bytes from the other side, as if they had come by the socket. Their plaintext is handed over during the call. */
  receive(bytes: Uint8Array): void {
    this._handle?.receive(bytes);
  }

  /** Node calls this while it constructs the socket, so nothing of ours is there but the options. */
  override _wrapHandle(): unknown {
    const { raw } = this._tlsOptions;
    return super._wrapHandle(raw, (raw as unknown as Internals)._handle, raw.writableLength > 0);
  }

  /** Likewise. Makes the raw socket the parent, whose errors are ours, and this one connected. */
  override _init(): void {
    const { raw } = this._tlsOptions;
    super._init(raw, raw);
  }
}

type StreamSocket = new (stream: Duplex) => Socket;

/** Node's own class, which has no name outside of it. */
let streamSocket: StreamSocket | undefined;

/** A stream of JavaScript as Node's TLS sees it: with a handle, as if it were a socket. `secureContext` is any. */
export function asSocket(stream: Duplex, secureContext: SecureContext): Socket {
  streamSocket ??= findStreamSocket(secureContext);
  return new streamSocket(stream);
}

/** Node wraps a stream while it constructs a TLS socket on it, and shows the wrapper to `_wrapHandle`. */
function findStreamSocket(secureContext: SecureContext): StreamSocket {
  let found: StreamSocket | undefined;
  class Probe extends Base {
    override _wrapHandle(wrap: Socket, handle: unknown, writing: boolean): unknown {
      found = wrap.constructor as StreamSocket;
      return super._wrapHandle(wrap, handle, writing);
    }
  }
  new Probe(new Duplex({ read: () => undefined }), { secureContext, isServer: true }).destroy();
  if (found === undefined) {
    throw new Error('this version of Node does not wrap streams for TLS');
  }
  return found;
}

/** Whether this Node has the parts at all. */
export function hasInternals(): boolean {
  const parts = TLSSocket.prototype as unknown as Record<string, unknown>;
  return ['_wrapHandle', '_init', '_start'].every((name) => typeof parts[name] === 'function');
}
