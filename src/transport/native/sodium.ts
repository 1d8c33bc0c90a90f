import { createRequire } from 'node:module';

/** The functions of sodium-native that are used. All work on buffers of the right length and throw where libsodium answers -1. */
export interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(cipher: Uint8Array, message: Uint8Array, ad: Uint8Array | null, secretNonce: null, nonce: Uint8Array, key: Uint8Array): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(message: Uint8Array, secretNonce: null, cipher: Uint8Array, ad: Uint8Array | null, nonce: Uint8Array, key: Uint8Array): number;
  crypto_scalarmult(shared: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(publicKey: Uint8Array, privateKey: Uint8Array): void;
}

/** libsodium, where its native part is there: an optional dependency with prebuilt code for the common platforms. */
export const sodium: Sodium | undefined = load();

function load(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
}
