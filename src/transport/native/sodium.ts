import { optionalModule } from '../../lib/optional-module.ts';

/** What a handshake needs of sodium-native. Lengths are checked; it throws where libsodium answers -1. */
export interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(cipher: Uint8Array, message: Uint8Array, ad: Uint8Array | null, secretNonce: null, nonce: Uint8Array, key: Uint8Array): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(message: Uint8Array, secretNonce: null, cipher: Uint8Array, ad: Uint8Array | null, nonce: Uint8Array, key: Uint8Array): number;
  crypto_scalarmult(shared: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(publicKey: Uint8Array, privateKey: Uint8Array): void;
}

/**
 * What a record needs, from the native part itself: the checks before it cost a good part of a short record, and the lengths are ours, not the
 * peer's. A negative answer says that the record is not genuine.
 */
export interface SodiumRecords {
  readonly crypto_aead_chacha20poly1305_ietf_encrypt: (cipher: Uint8Array, message: Uint8Array, ad: undefined, nonce: Uint8Array, key: Uint8Array) => number;
  readonly crypto_aead_chacha20poly1305_ietf_decrypt: (message: Uint8Array, cipher: Uint8Array, ad: undefined, nonce: Uint8Array, key: Uint8Array) => number;
}

/** libsodium, where its native part is there: an optional dependency with prebuilt code for the common platforms. */
export const sodium = optionalModule('sodium-native') as Sodium | undefined;
export const sodiumRecords = optionalModule('sodium-native/binding') as SodiumRecords | undefined;
