/** Tags of the DER elements that certificates are made of (X.690, 8.1.2). */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_ID: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  /** `[n]` of a structure. */
  context: (n: number): number => 0xa0 + n,
} as const;

/** A length has at most this many bytes: far more than a TLS certificate can have. */
const MAX_LENGTH_BYTES = 3;

/** One element. @param content less than 64 KiB */
export function encodeDer(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), body]);
}

/** Reads DER elements one after the other, and nothing that is only BER: every value has one encoding. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The tag of the next element, or undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The content of the next element. @throws Error when its tag is another, or it is not DER */
  content(tag: number): Buffer {
    const { start, end } = this.#next(tag);
    return this.#bytes.subarray(start, end);
  }

  /** The next element with its header. @throws Error as above */
  element(tag: number): Buffer {
    const from = this.#at;
    const { end } = this.#next(tag);
    return this.#bytes.subarray(from, end);
  }

  /** A reader of what is inside the next element. @throws Error as above */
  inside(tag: number): DerReader {
    return new DerReader(this.content(tag));
  }

  /** The content of a BIT STRING of whole bytes. @throws Error as above */
  bits(): Buffer {
    const content = this.content(Tag.BIT_STRING);
    if (content[0] !== 0) {
      throw new Error('a BIT STRING that is not whole bytes');
    }
    return content.subarray(1);
  }

  /** @throws Error when there is more */
  end(): void {
    if (this.#at !== this.#bytes.length) {
      throw new Error('bytes behind a DER element');
    }
  }

  #next(tag: number): { start: number; end: number } {
    if (this.#bytes[this.#at] !== tag) {
      throw new Error(`a DER element of tag ${this.#bytes[this.#at] ?? 'none'} in place of ${tag}`);
    }
    this.#at++;
    const length = this.#length();
    const start = this.#at;
    if (length > this.#bytes.length - start) {
      throw new Error('a DER element longer than what is there');
    }
    this.#at = start + length;
    return { start, end: this.#at };
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) {
      return first;
    }
    const count = first - 0x80;
    if (count === 0 || count > MAX_LENGTH_BYTES) {
      throw new Error('a DER length that is indefinite or too long');
    }
    let length = 0;
    for (let i = 0; i < count; i++) {
      length = length * 256 + this.#byte();
    }
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw new Error('a DER length in more bytes than it needs');
    }
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) {
      throw new Error('a DER element that ends in its header');
    }
    this.#at++;
    return byte;
  }
}
