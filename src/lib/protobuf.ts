import { RelaydError } from './errors.ts';

/**
 * As much of the protobuf wire format as small control messages need: varints, length-delimited and 64-bit fields,
 * and skipping of what is unknown. Every read is bounded by the buffer; anything else is MALFORMED_MESSAGE.
 * Source: protobuf.dev, "Encoding".
 */
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

const MAX_VARINT_BYTES = 10;

export function malformed(message: string): RelaydError {
  return new RelaydError('MALFORMED_MESSAGE', message);
}

/** One field of a message: a varint as a bigint, the bytes of a length-delimited one, or the unsigned value of a `fixed64`. */
export interface Field {
  readonly number: number;
  readonly varint: bigint | undefined;
  readonly bytes: Uint8Array | undefined;
  readonly fixed64?: bigint;
}

/** Reads a message field by field; 32-bit fields are skipped, groups are malformed. */
export function* readFields(buffer: Uint8Array): Generator<Field> {
  const cursor = new Cursor(buffer);
  while (!cursor.done) {
    const tag = cursor.varint();
    const number = Number(tag >> 3n);
    if (number < 1 || number > 0x1fffffff) {
      throw malformed(`field number ${number} is outside protobuf's range`);
    }
    const wire = Number(tag & 7n);
    if (wire === WIRE_VARINT) {
      yield { number, varint: cursor.varint(), bytes: undefined };
    } else if (wire === WIRE_BYTES) {
      yield { number, varint: undefined, bytes: cursor.bytes(cursor.length()) };
    } else if (wire === WIRE_FIXED64) {
      yield { number, varint: undefined, bytes: undefined, fixed64: cursor.fixed64() };
    } else if (wire === WIRE_FIXED32) {
      cursor.bytes(4);
    } else {
      throw malformed(`wire type ${wire} is not used by this protocol`);
    }
  }
}

/** The bytes of `field`, which the schema says is length-delimited. */
export function bytesOf(field: Field): Uint8Array {
  if (field.bytes === undefined) {
    throw malformed(`field ${field.number} should be length-delimited`);
  }
  return field.bytes;
}

/** The value of `field` as a number; what does not fit 53 bits is malformed. */
export function numberOf(field: Field): number {
  if (field.varint === undefined) {
    throw malformed(`field ${field.number} should be a varint`);
  }
  if (field.varint > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw malformed(`field ${field.number} is out of range`);
  }
  return Number(field.varint);
}

/**
 * The value of a field that holds a limit, where a peer may say "as much as there is": what does
 * not fit 53 bits is taken as the largest number that does.
 */
export function saturatedNumberOf(field: Field): number {
  if (field.varint !== undefined && field.varint > BigInt(Number.MAX_SAFE_INTEGER)) {
    return Number.MAX_SAFE_INTEGER;
  }
  return numberOf(field);
}

/** The value of `field`, which the schema says is a `fixed64`. */
export function fixed64Of(field: Field): bigint {
  if (field.fixed64 === undefined) {
    throw malformed(`field ${field.number} should have 64 bits`);
  }
  return field.fixed64;
}

export function textOf(field: Field): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(field));
  } catch (cause) {
    throw cause instanceof RelaydError ? cause : malformed(`field ${field.number} is not UTF-8`);
  }
}

class Cursor {
  readonly #buffer: Uint8Array;
  #at = 0;

  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  get done(): boolean {
    return this.#at >= this.#buffer.byteLength;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) {
        throw malformed('a varint ends before its last byte');
      }
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        return BigInt.asUintN(64, value);
      }
    }
    throw malformed(`a varint is longer than ${MAX_VARINT_BYTES} bytes`);
  }

  length(): number {
    const length = this.varint();
    if (length > BigInt(this.#buffer.byteLength - this.#at)) {
      throw malformed('a field is longer than the message that holds it');
    }
    return Number(length);
  }

  fixed64(): bigint {
    const bytes = this.bytes(8);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#buffer.byteLength) {
      throw malformed('a field is longer than the message that holds it');
    }
    const bytes = this.#buffer.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }
}

/** Builds a message; fields are written in the order of the calls. `undefined` writes nothing. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];

  varint(number: number, value: number | bigint | undefined): this {
    if (value !== undefined) {
      this.#parts.push(encodeVarint((BigInt(number) << 3n) | BigInt(WIRE_VARINT)), encodeVarint(BigInt(value)));
    }
    return this;
  }

  bytes(number: number, value: Uint8Array | undefined): this {
    if (value !== undefined) {
      this.#parts.push(encodeVarint((BigInt(number) << 3n) | BigInt(WIRE_BYTES)), encodeVarint(BigInt(value.byteLength)), value);
    }
    return this;
  }

  /** @param value taken as its lowest 64 bits */
  fixed64(number: number, value: bigint): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.#parts.push(encodeVarint((BigInt(number) << 3n) | BigInt(WIRE_FIXED64)), bytes);
    return this;
  }

  text(number: number, value: string | undefined): this {
    return this.bytes(number, value === undefined ? undefined : new TextEncoder().encode(value));
  }

  finish(): Uint8Array {
    return concat(this.#parts);
  }
}

/** A negative number is written as its 64 bits, as everywhere in protobuf. */
export function encodeVarint(value: bigint | number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(out);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}
