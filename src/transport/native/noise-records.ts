import { aead, TAG_BYTES } from './noise-aead.ts';
import type { Aead } from './noise-aead.ts';
import { BlockPool } from '../../lib/block-pool.ts';
import type { Take } from './ground.ts';
import type { Opener } from './link.ts';
import type { Sealer } from './outgoing.ts';

const LENGTH_BYTES = 2;
/** "Wire format" of libp2p's noise specification: a message is at most this long, tag included. */
const MAX_RECORD_BYTES = 65_535;
const PIECE_BYTES = LENGTH_BYTES + MAX_RECORD_BYTES;
/** For records of which a part has come. */
const pieces = new BlockPool(PIECE_BYTES, 64);

/**
 * Noise counts to 2^64 - 2 and then ends; JavaScript's whole numbers end before, after 590 million TB in full records. A counter that
 * reaches its end closes the connection: no nonce is used twice.
 */
export const MAX_NONCE = Number.MAX_SAFE_INTEGER;

/** The counter of one direction as ChaCha20-Poly1305 takes it: 4 zero bytes and 64 bits, little-endian (Noise, 12.3). */
export class Nonce {
  readonly bytes = Buffer.alloc(12);
  #next: number;

  constructor(first = 0) {
    this.#next = first;
  }

  /** @throws Error when the counter is at its end */
  advance(): Buffer {
    if (this.#next >= MAX_NONCE) {
      throw new Error('the noise counter is at its end');
    }
    this.bytes.writeUInt32LE(this.#next % 0x1_0000_0000, 4);
    this.bytes.writeUInt32LE(Math.floor(this.#next / 0x1_0000_0000), 8);
    this.#next++;
    return this.bytes;
  }
}

/** The writing half of noise's data phase. */
export class NoiseSealer implements Sealer {
  readonly head = LENGTH_BYTES;
  readonly tail = TAG_BYTES;
  readonly maxPayloadBytes = MAX_RECORD_BYTES - TAG_BYTES;
  readonly #aead: Aead;
  readonly #nonce: Nonce;

  constructor(key: Uint8Array, nonce = new Nonce()) {
    this.#aead = aead(key);
    this.#nonce = nonce;
  }

  seal(block: Buffer, start: number, end: number): void {
    this.#aead.seal(block, start, end, this.#nonce.advance());
    block.writeUInt16BE(end - start + TAG_BYTES, start - LENGTH_BYTES);
  }
}

/** The reading half: whole records are opened where they arrived, a divided one is put together first. */
export class NoiseOpener implements Opener {
  readonly #aead: Aead;
  readonly #nonce: Nonce;
  /** A record of which not all has come; taken from the pool only then. */
  #piece: Buffer | undefined;
  #have = 0;
  #closed = false;

  constructor(key: Uint8Array, nonce = new Nonce()) {
    this.#aead = aead(key);
    this.#nonce = nonce;
  }

  /** Bytes of a record that has not come to its end. */
  get waitingBytes(): number {
    return this.#have;
  }

  open(chunk: Buffer, start: number, end: number, take: Take): void {
    let at = this.#piece === undefined ? start : this.#complete(chunk, start, end, take);
    while (end - at >= LENGTH_BYTES && !this.#closed) {
      const next = at + LENGTH_BYTES + chunk.readUInt16BE(at);
      if (next > end) {
        break;
      }
      this.#record(chunk, at + LENGTH_BYTES, next, take);
      at = next;
    }
    if (at < end && !this.#closed) {
      this.#piece ??= pieces.take();
      this.#have = chunk.copy(this.#piece, 0, at, end);
    }
  }

  close(): void {
    this.#closed = true;
    const piece = this.#piece;
    if (piece !== undefined) {
      this.#piece = undefined;
      this.#have = 0;
      pieces.give(piece);
    }
  }

  /** Fills up what waits. Returns how far `chunk` was used. */
  #complete(chunk: Buffer, start: number, end: number, take: Take): number {
    const piece = this.#piece as Buffer;
    let at = this.#fill(piece, LENGTH_BYTES, chunk, start, end);
    if (this.#have < LENGTH_BYTES) {
      return at;
    }
    const wanted = LENGTH_BYTES + piece.readUInt16BE(0);
    at = this.#fill(piece, wanted, chunk, at, end);
    if (this.#have === wanted) {
      this.#piece = undefined;
      this.#have = 0;
      try {
        this.#record(piece, LENGTH_BYTES, wanted, take);
      } finally {
        pieces.give(piece);
      }
    }
    return at;
  }

  #fill(piece: Buffer, wanted: number, chunk: Buffer, at: number, end: number): number {
    const bytes = Math.min(wanted - this.#have, end - at);
    if (bytes <= 0) {
      return at;
    }
    chunk.copy(piece, this.#have, at, at + bytes);
    this.#have += bytes;
    return at + bytes;
  }

  #record(bytes: Buffer, start: number, end: number, take: Take): void {
    if (end - start < TAG_BYTES) {
      throw new Error('a noise record is shorter than its tag');
    }
    this.#aead.open(bytes, start, end, this.#nonce.advance(), take);
  }
}
