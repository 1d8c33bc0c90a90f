import { pureJsCrypto } from '@chainsafe/libp2p-noise';
import { createCipheriv, createDecipheriv, createSecretKey, getCiphers } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { freeNow } from '../../lib/block-pool.ts';
import { sodiumRecords } from './sodium.ts';
import type { SodiumRecords } from './sodium.ts';

/** ChaCha20-Poly1305 with one key (RFC 8439), on bytes where they are. */
export interface Aead {
  /** Encrypts `bytes[start, end)` in place and writes the tag behind it. */
  seal(bytes: Buffer, start: number, end: number, nonce: Buffer): void;
  /**
   * Decrypts `bytes[start, end)`, whose last 16 bytes are the tag, and hands on the plaintext: in place or in memory that lasts as long as the
   * call. @throws Error when the tag is wrong
   */
  open(bytes: Buffer, start: number, end: number, nonce: Buffer, take: (plaintext: Buffer, start: number, end: number) => void): void;
}

export const TAG_BYTES = 16;

/** libsodium costs less for a short record, OpenSSL for a long one; they meet here (docs/decisions/0007). */
const OPENSSL_FROM_BYTES = 12 * 1024;

const CIPHER = 'chacha20-poly1305';
const NOT_GENUINE = 'a noise record is not genuine';

export class SodiumAead implements Aead {
  readonly #encrypt: SodiumRecords['crypto_aead_chacha20poly1305_ietf_encrypt'];
  readonly #decrypt: SodiumRecords['crypto_aead_chacha20poly1305_ietf_decrypt'];
  readonly #key: Buffer;

  constructor(library: SodiumRecords, key: Uint8Array) {
    this.#encrypt = library.crypto_aead_chacha20poly1305_ietf_encrypt;
    this.#decrypt = library.crypto_aead_chacha20poly1305_ietf_decrypt;
    this.#key = Buffer.from(key);
  }

  seal(bytes: Buffer, start: number, end: number, nonce: Buffer): void {
    this.#encrypt(bytes.subarray(start, end + TAG_BYTES), bytes.subarray(start, end), undefined, nonce, this.#key);
  }

  open(bytes: Buffer, start: number, end: number, nonce: Buffer, take: (plaintext: Buffer, start: number, end: number) => void): void {
    if (this.#decrypt(bytes.subarray(start, end - TAG_BYTES), bytes.subarray(start, end), undefined, nonce, this.#key) < 0) {
      throw new Error(NOT_GENUINE);
    }
    take(bytes, start, end - TAG_BYTES);
  }
}

export class OpensslAead implements Aead {
  /** As an object: a key in a buffer is imported again for every record. */
  readonly #key: KeyObject;

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  seal(bytes: Buffer, start: number, end: number, nonce: Buffer): void {
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    const sealed = cipher.update(bytes.subarray(start, end));
    cipher.final();
    bytes.set(sealed, start);
    freeNow(sealed);
    bytes.set(cipher.getAuthTag(), end);
  }

  open(bytes: Buffer, start: number, end: number, nonce: Buffer, take: (plaintext: Buffer, start: number, end: number) => void): void {
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(end - TAG_BYTES, end));
    const plaintext = decipher.update(bytes.subarray(start, end - TAG_BYTES));
    try {
      decipher.final();
    } catch (cause) {
      throw new Error(NOT_GENUINE, { cause });
    }
    take(plaintext, 0, plaintext.length);
    freeNow(plaintext);
  }
}

/** For a machine where neither is there. */
export class JavaScriptAead implements Aead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(bytes: Buffer, start: number, end: number, nonce: Buffer): void {
    bytes.set(pureJsCrypto.chaCha20Poly1305Encrypt(bytes.subarray(start, end), nonce, new Uint8Array(), this.#key).subarray(), start);
  }

  open(bytes: Buffer, start: number, end: number, nonce: Buffer, take: (plaintext: Buffer, start: number, end: number) => void): void {
    let plaintext: Uint8Array;
    try {
      plaintext = pureJsCrypto.chaCha20Poly1305Decrypt(bytes.subarray(start, end), nonce, new Uint8Array(), this.#key).subarray();
    } catch (cause) {
      throw new Error(NOT_GENUINE, { cause });
    }
    take(Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength), 0, plaintext.byteLength);
  }
}

/** Each record by whichever of two is cheaper for its length. */
class BySizeAead implements Aead {
  readonly #short: Aead;
  readonly #long: Aead;

  constructor(short: Aead, long: Aead) {
    this.#short = short;
    this.#long = long;
  }

  seal(bytes: Buffer, start: number, end: number, nonce: Buffer): void {
    (end - start < OPENSSL_FROM_BYTES ? this.#short : this.#long).seal(bytes, start, end, nonce);
  }

  open(bytes: Buffer, start: number, end: number, nonce: Buffer, take: (plaintext: Buffer, start: number, end: number) => void): void {
    (end - start < OPENSSL_FROM_BYTES ? this.#short : this.#long).open(bytes, start, end, nonce, take);
  }
}

const openssl = getCiphers().includes(CIPHER);

/** What this process encrypts noise with, for the log: the first is what is meant to be used. */
export const AEAD_KIND: 'libsodium and OpenSSL' | 'libsodium' | 'OpenSSL' | 'JavaScript' =
  sodiumRecords === undefined ? (openssl ? 'OpenSSL' : 'JavaScript') : openssl ? 'libsodium and OpenSSL' : 'libsodium';

export function aead(key: Uint8Array): Aead {
  const short = sodiumRecords === undefined ? undefined : new SodiumAead(sodiumRecords, key);
  const long = openssl ? new OpensslAead(key) : undefined;
  if (short !== undefined && long !== undefined) {
    return new BySizeAead(short, long);
  }
  return short ?? long ?? new JavaScriptAead(key);
}
