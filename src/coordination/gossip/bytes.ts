import { malformed } from '../../lib/protobuf.ts';

/**
 * The parts that gossip's messages are made of: unsigned LEB128 numbers up to 2^53, and bytes and texts with their length in front. Not protobuf: a page
 * of ten thousand reservations is written and read without an object or a bigint a field.
 */
export class ByteWriter {
  #buffer: Buffer;
  #at = 0;

  constructor(sizeHint = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(sizeHint);
  }

  get length(): number {
    return this.#at;
  }

  /** @param value a whole number from 0 to 2^53 - 1 */
  number(value: number): this {
    this.#room(MAX_NUMBER_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.number(value.byteLength);
    this.#room(value.byteLength);
    this.#buffer.set(value, this.#at);
    this.#at += value.byteLength;
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.number(length);
    this.#room(length);
    this.#at += this.#buffer.write(value, this.#at, 'utf8');
    return this;
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.number(items.length);
    items.forEach(write);
    return this;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.byteLength, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Most deltas fit; a page asks for more. */
const FIRST_BYTES = 1024;

/** 8 x 7 bits hold 53. */
const MAX_NUMBER_BYTES = 8;

/** Reads what {@link ByteWriter} wrote; whatever else is MALFORMED_MESSAGE. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    let value = 0;
    let unit = 1;
    for (let i = 0; i < MAX_NUMBER_BYTES; i++) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw malformed('it ends within a number');
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return safe(value);
      unit *= 0x80;
    }
    throw malformed(`a number is longer than ${MAX_NUMBER_BYTES} bytes`);
  }

  /** A part of the message itself, not a copy. */
  bytes(maxBytes: number): Uint8Array {
    const length = this.number();
    if (length > maxBytes) throw malformed(`${length} bytes stand where ${maxBytes} are allowed`);
    if (length > this.#buffer.byteLength - this.#at) throw malformed('a part is longer than the message that holds it');
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }

  text(maxBytes: number): string {
    const bytes = this.bytes(maxBytes);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  /** Each item takes a byte at least, so that a short message cannot claim a long list. */
  list<T>(read: () => T): T[] {
    const count = this.number();
    if (count > this.#buffer.byteLength - this.#at) throw malformed('a list is longer than the message that holds it');
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read());
    return items;
  }

  end(): void {
    if (this.#at !== this.#buffer.byteLength) throw malformed('bytes follow its end');
  }
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw malformed('a number is above 2^53');
  return value;
}
