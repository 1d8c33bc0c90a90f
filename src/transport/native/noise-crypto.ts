import { pureJsCrypto } from '@chainsafe/libp2p-noise';
import type { ICryptoInterface, KeyPair } from '@chainsafe/libp2p-noise';
import { hash, randomBytes } from 'node:crypto';
import { TAG_BYTES } from './noise-aead.ts';
import { sodium } from './sodium.ts';
import type { Sodium } from './sodium.ts';

/** The keys that a handshake ends with: what the initiator sends with, and the responder. */
export interface TransportKeys {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}

const KEY_BYTES = 32;

/** libsodium for the handshake too: OpenSSL would make a key object for every key that is used once. */
const shared: ICryptoInterface = sodium === undefined ? pureJsCrypto : { ...pureJsCrypto, ...sodiumCrypto(sodium) };

/** A static key for the life of the process; the identity key signs it. */
export function newStaticKey(): KeyPair {
  return shared.generateX25519KeyPair();
}

/**
 * The cryptography for one handshake of the library, which does not give its keys away by itself. The last derivation of a
 * handshake is the one without new key material ("Split", Noise 5.2): its first two outputs are the transport keys.
 */
export function handshakeCrypto(staticKey: KeyPair, onKeys: (keys: TransportKeys) => void): ICryptoInterface {
  return {
    ...shared,
    hashSHA256: (data) => hash('sha256', data.subarray(), 'buffer'),
    generateX25519KeyPairFromSeed: () => staticKey,
    getHKDF: (chainingKey, material) => {
      const keys = hkdf(chainingKey, material);
      if (material.byteLength === 0) {
        onKeys({ initiator: keys[0], responder: keys[1] });
      }
      return keys;
    },
  };
}

/** HKDF with three outputs (Noise 4.3). */
function hkdf(chainingKey: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const temporary = hmac(chainingKey, material);
  const first = hmac(temporary, Uint8Array.of(1));
  const second = hmac(temporary, first, Uint8Array.of(2));
  return [first, second, hmac(temporary, second, Uint8Array.of(3))];
}

const BLOCK_BYTES = 64;

/** HMAC-SHA-256 (RFC 2104) by two hashes: Node's own object for it costs several times as much, and a handshake needs twenty. */
function hmac(key: Uint8Array, ...data: Uint8Array[]): Uint8Array {
  const [inner, outer] = [Buffer.alloc(BLOCK_BYTES, 0x36), Buffer.alloc(BLOCK_BYTES, 0x5c)];
  for (let i = 0; i < key.byteLength; i++) {
    inner[i] = (key[i] as number) ^ 0x36;
    outer[i] = (key[i] as number) ^ 0x5c;
  }
  return hash('sha256', Buffer.concat([outer, hash('sha256', Buffer.concat([inner, ...data]), 'buffer')]), 'buffer');
}

function sodiumCrypto(library: Sodium): Pick<ICryptoInterface, 'generateX25519KeyPair' | 'generateX25519SharedKey' | 'chaCha20Poly1305Encrypt' | 'chaCha20Poly1305Decrypt'> {
  return {
    generateX25519KeyPair: () => {
      const privateKey = randomBytes(KEY_BYTES);
      const publicKey = new Uint8Array(KEY_BYTES);
      library.crypto_scalarmult_base(publicKey, privateKey);
      return { privateKey, publicKey };
    },
    generateX25519SharedKey: (privateKey, publicKey) => {
      const secret = new Uint8Array(KEY_BYTES);
      library.crypto_scalarmult(secret, privateKey.subarray(), publicKey.subarray());
      return secret;
    },
    chaCha20Poly1305Encrypt: (plaintext, nonce, ad, key) => {
      const cipher = new Uint8Array(plaintext.byteLength + TAG_BYTES);
      library.crypto_aead_chacha20poly1305_ietf_encrypt(cipher, plaintext.subarray(), ad, null, nonce, key);
      return cipher;
    },
    chaCha20Poly1305Decrypt: (ciphertext, nonce, ad, key) => {
      const plaintext = new Uint8Array(ciphertext.byteLength - TAG_BYTES);
      library.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, ciphertext.subarray(), ad, nonce, key);
      return plaintext;
    },
  };
}
