const WORD_BYTES = 4;

/** For fewer bytes a view of words costs more than it saves. */
const MIN_WORDS_BYTES = 64;

/** XORs `bytes[start, end)` with `key`, four bytes over and over, beginning at its byte `keyAt` (RFC 6455, 5.3). Masking and unmasking are the same. */
export function mask(bytes: Buffer, start: number, end: number, key: Buffer, keyAt: number): void {
  let at = start;
  if (end - start >= MIN_WORDS_BYTES) {
    const aligned = start + ((WORD_BYTES - ((bytes.byteOffset + start) % WORD_BYTES)) % WORD_BYTES);
    byByte(bytes, start, aligned, key, keyAt);
    at = byWord(bytes, aligned, end, key, keyAt + aligned - start);
  }
  byByte(bytes, at, end, key, keyAt + at - start);
}

function byByte(bytes: Buffer, start: number, end: number, key: Buffer, keyAt: number): void {
  for (let at = start; at < end; at++) {
    bytes[at] = (bytes[at] as number) ^ (key[(keyAt + at - start) % WORD_BYTES] as number);
  }
}

/** From an address that is a multiple of four. Returns how far it came. */
function byWord(bytes: Buffer, start: number, end: number, key: Buffer, keyAt: number): number {
  const turned = new Uint8Array(WORD_BYTES).map((_, i) => key[(keyAt + i) % WORD_BYTES] as number);
  const word = new Int32Array(turned.buffer)[0] as number;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, (end - start) >> 2);
  for (let i = 0; i < words.length; i++) {
    words[i] = (words[i] as number) ^ word;
  }
  return start + words.length * WORD_BYTES;
}
