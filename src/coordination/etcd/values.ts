/**
 * What stands behind the keys. Numbers by which etcd itself compares values come first, as hex digits of one length: so the order of texts is
 * the order of numbers.
 */
const NUMBER_DIGITS = 16;
const HEADED = /^([0-9a-f]{16}) (alive|left|list) $/;
/** All three words make heads of the lengths that are looked at. */
const MAX_HEAD_CHARS = NUMBER_DIGITS + ' alive '.length;

export interface RecordValue {
  readonly epoch: number;
  /** It said that it goes; its lease is about to be given back. */
  readonly hasLeft: boolean;
  readonly record: Uint8Array;
}

export function encodeRecord({ epoch, hasLeft, record }: RecordValue): Uint8Array {
  return headed(epoch, hasLeft ? 'left' : 'alive', record);
}

/** `undefined` for what is no record. */
export function decodeRecord(value: Uint8Array): RecordValue | undefined {
  const parts = split(value);
  return parts === undefined || parts.word === 'list' ? undefined : { epoch: parts.number, hasLeft: parts.word === 'left', record: parts.body };
}

export interface ListValue {
  readonly sequence: number;
  readonly list: Uint8Array;
}

export function encodeList({ sequence, list }: ListValue): Uint8Array {
  return headed(sequence, 'list', list);
}

export function decodeList(value: Uint8Array): ListValue | undefined {
  const parts = split(value);
  return parts?.word === 'list' ? { sequence: parts.number, list: parts.body } : undefined;
}

/** Every list value of a lower sequence, and no other, sorts below this. */
export function listsBelow(sequence: number): Uint8Array {
  return Buffer.from(digits(sequence));
}

/** What one relay has counted for a key: in `epoch`, and in all its epochs before. */
export interface UsageValue {
  readonly epoch: number;
  readonly earlierBytes: number;
  readonly bytes: number;
}

export function encodeUsage(usage: UsageValue): Uint8Array {
  return Buffer.from(JSON.stringify(usage));
}

/** `undefined` for what is no usage. */
export function decodeUsage(value: Uint8Array): UsageValue | undefined {
  try {
    const usage = JSON.parse(Buffer.from(value).toString()) as Partial<UsageValue> | null;
    return usage !== null && isCount(usage.epoch) && isCount(usage.earlierBytes) && isCount(usage.bytes) ? { epoch: usage.epoch, earlierBytes: usage.earlierBytes, bytes: usage.bytes } : undefined;
  } catch {
    return undefined;
  }
}

/** For people who look into the store; no relay reads it. */
export function encodeReservation(epoch: number, ttlMs: number): Uint8Array {
  return Buffer.from(JSON.stringify({ epoch, ttlMs }));
}

function headed(number: number, word: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${digits(number)} ${word} `), body]);
}

function split(value: Uint8Array): { number: number; word: string; body: Uint8Array } | undefined {
  const head = Buffer.from(value.subarray(0, MAX_HEAD_CHARS)).toString('latin1');
  const [, hex, word] = HEADED.exec(head.slice(0, head.indexOf(' ', NUMBER_DIGITS + 1) + 1)) ?? [];
  if (hex === undefined || word === undefined) return undefined;
  return { number: Number.parseInt(hex, 16), word, body: value.subarray(NUMBER_DIGITS + word.length + 2) };
}

function digits(number: number): string {
  return number.toString(16).padStart(NUMBER_DIGITS, '0');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
