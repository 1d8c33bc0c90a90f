/**
 * Varints and protobuf fields, written from the protobuf encoding document for the tests alone: it
 * shares nothing with the codec of the relay, so that a mistake in that one shows. It is strict where a
 * server should be: overlong varints, unknown wire types and fields past the end are errors.
 */
export type WireValue = bigint | Uint8Array;

export interface WireField {
  number: number;
  value: WireValue;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  for (let left = BigInt(value); ; left >>= 7n) {
    const low = Number(left & 0x7fn);
    if (left < 0x80n) {
      return Uint8Array.from([...bytes, low]);
    }
    bytes.push(low | 0x80);
  }
}

/** The varint at `offset`; `undefined` when the buffer ends inside it. @throws Error when it is not canonical */
export function takeVarint(buffer: Uint8Array, offset: number): { value: bigint; end: number } | undefined {
  let value = 0n;
  for (let i = 0; offset + i < buffer.length; i++) {
    const byte = buffer[offset + i] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      if (i > 0 && byte === 0) throw new Error('an overlong varint');
      if (value >= 1n << 64n) throw new Error('a varint of more than 64 bits');
      return { value, end: offset + i + 1 };
    }
    if (i === 9) throw new Error('a varint that does not end');
  }
  return undefined;
}

/** One field with a number (varint) or bytes; an absent value writes nothing. */
export function field(number: number, value: number | bigint | Uint8Array | undefined): Uint8Array {
  if (value === undefined) {
    return new Uint8Array();
  }
  if (value instanceof Uint8Array) {
    return join(varint(number * 8 + BYTES), varint(value.length), value);
  }
  return join(varint(number * 8 + VARINT), varint(value));
}

export function readMessage(buffer: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  for (let offset = 0; offset < buffer.length; ) {
    const tag = need(takeVarint(buffer, offset));
    const { value, end } = readValue(buffer, tag.end, Number(tag.value & 7n));
    fields.push({ number: Number(tag.value >> 3n), value });
    offset = end;
  }
  return fields;
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function asNumber(value: WireValue): number {
  if (value instanceof Uint8Array) throw new Error('bytes where a number belongs');
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`a number too large to be one of ours: ${value}`);
  return Number(value);
}

export function asBytes(value: WireValue): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Error('a number where bytes belong');
  return value;
}

export function asText(value: WireValue): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(asBytes(value));
}

function readValue(buffer: Uint8Array, offset: number, wireType: number): { value: WireValue; end: number } {
  if (wireType === VARINT) {
    return need(takeVarint(buffer, offset));
  }
  const { start, size } = extent(buffer, offset, wireType);
  if (start + size > buffer.length) throw new Error('a field that goes past the end');
  return { value: buffer.slice(start, start + size), end: start + size };
}

function extent(buffer: Uint8Array, offset: number, wireType: number): { start: number; size: number } {
  if (wireType === FIXED64) return { start: offset, size: 8 };
  if (wireType === FIXED32) return { start: offset, size: 4 };
  if (wireType !== BYTES) throw new Error(`wire type ${wireType}`);
  const length = need(takeVarint(buffer, offset));
  return { start: length.end, size: Number(length.value) };
}

function need<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('a message that ends inside a field');
  return found;
}
