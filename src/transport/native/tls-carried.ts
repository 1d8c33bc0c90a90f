import { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Done, Ground } from './ground.ts';
import { asSocket, newReadBuffer } from './tls-fast-socket.ts';
import { endOnError, FastTlsGround, overStream } from './tls-ground.ts';
import type { GroundKind, StartOptions, TlsGround } from './tls-ground.ts';

export interface CarriedOptions extends StartOptions {
  secureContext: SecureContext;
}

/** TLS without a socket underneath. */
export interface CarriedTls extends TlsGround {
  /** Nothing more comes from underneath. */
  readonly endInput: () => void;
}

/**
 * Begins TLS on what is no socket: a circuit, a private network, WebSocket. `early` is what had come already. An error of TLS or of the
 * carrier ends the TLS socket and comes as its `error`, for which the caller listens at once. The carrier's end is the caller's affair.
 */
export function startCarriedTls(kind: GroundKind, carrier: Ground, early: Uint8Array, options: CarriedOptions): CarriedTls {
  const made = kind === 'fast' ? fastTls(carrier, early, options) : publicTls(carrier, early, options);
  endOnError(made.socket);
  return made;
}

const NOTHING = new Uint8Array(0);

/** Not the one of connections on sockets: what is in that one may be a record that holds records of a connection here. */
const readBuffer = newReadBuffer();

/** Bytes go in by hand, from where they arrived. */
function fastTls(carrier: Ground, early: Uint8Array, options: CarriedOptions): CarriedTls {
  const stream = new OutStream(carrier);
  const ground = new FastTlsGround({ raw: asSocket(stream, options.secureContext), early: NOTHING, options, buffer: readBuffer, byTurns: false });
  const { socket } = ground;
  const receive: Receive = (bytes) => socket.receive(bytes);
  carrier.open((chunk, start, end) => receiveInTurn(receive, chunk.subarray(start, end)));
  if (early.length > 0) {
    process.nextTick(receiveInTurn, receive, early);
  }
  return { socket, ground, endInput: () => stream.endInput() };
}

function publicTls(carrier: Ground, early: Uint8Array, options: CarriedOptions): CarriedTls {
  const stream = new CarrierStream(carrier);
  if (early.length > 0) {
    stream.push(early);
  }
  const made = overStream(stream, options);
  stream.open();
  return { ...made, endInput: () => stream.endInput() };
}

type Receive = (bytes: Uint8Array) => void;

let receiving = false;
const waiting: { receive: Receive; bytes: Uint8Array }[] = [];

/**
 * What is decrypted for one connection can be records of another, in a circuit on it: they wait, as a copy, until the one buffer is
 * free again, which is before this returns.
 */
function receiveInTurn(receive: Receive, bytes: Uint8Array): void {
  if (receiving) {
    waiting.push({ receive, bytes: Buffer.from(bytes) });
    return;
  }
  receiving = true;
  try {
    receive(bytes);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next.receive(next.bytes);
    }
  } finally {
    receiving = false;
  }
}

/** The carrier as a stream of Node. */
class CarrierStream extends Duplex {
  protected readonly carrier: Ground;

  constructor(carrier: Ground) {
    super();
    this.carrier = carrier;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.carrier.writeOwned([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.carrier.writeOwned(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _read(): void {
    this.carrier.resume();
  }

  /** Takes the carrier's bytes, which are valid only during the call. */
  open(): void {
    this.carrier.open((chunk, start, end) => {
      if (!this.push(Buffer.from(chunk.subarray(start, end)))) this.carrier.pause();
    });
  }

  endInput(): void {
    this.push(null);
    this.read(0);
  }
}

/** For what is sent. What comes goes another way, but is stopped and begun here. */
class OutStream extends CarrierStream {
  override pause(): this {
    this.carrier.pause();
    return this;
  }

  override resume(): this {
    this.carrier.resume();
    return this;
  }
}
