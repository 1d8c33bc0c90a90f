import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { TLSSocketOptions } from 'node:tls';

/** Node hands over a TLS record at a time, which is at most 16 KiB of plaintext. */
const READ_BYTES = 64 * 1024;

/** Where the plaintext of every connection of the process arrives, one piece after the other. */
export const readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Node's options with what `FastTlsSocket` adds. */
export interface FastTlsOptions extends TLSSocketOptions {
  /** The connected socket underneath, which nobody reads or writes any more. */
  raw: Socket;
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

const Base = TLSSocket as unknown as new (socket: undefined, options: object) => TLSSocket & Internals;

/**
 * A TLS socket on a connected socket that reads into one buffer for the whole process. By itself Node allocates an ArrayBuffer for
 * every record, which costs even when it is given back at once, and far more when it is left to the collector (docs/decisions/0007).
 * Its option against that, `onread`, is ignored for a TLS socket on a connected socket, so this one is made as if it were to connect
 * by itself, and given the connected socket where it would make its own.
 */
export class FastTlsSocket extends Base {
  /** @param early what had come from the socket already */
  constructor(options: FastTlsOptions, early: Uint8Array) {
    super(undefined, { ...options, onread: { buffer: readBuffer, callback: options.onPlaintext } });
    const { raw, isServer } = options;
    if (raw.writableLength > 0) {
      // As Node does it: written behind what is on its way, and so called after it.
      raw.write('', () => this._handle?.writesIssuedByPrevListenerDone());
    }
    if (isServer !== true) {
      this._start();
    }
    if (early.length > 0) {
      process.nextTick(() => this._handle?.receive(early));
    }
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

/** Whether this Node has the parts at all. */
export function hasInternals(): boolean {
  const parts = TLSSocket.prototype as unknown as Record<string, unknown>;
  return ['_wrapHandle', '_init', '_start'].every((name) => typeof parts[name] === 'function');
}
