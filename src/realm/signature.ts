import { createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { optionalModule } from '../lib/optional-module.ts';
import { concat } from '../lib/protobuf.ts';

/** What a realm's authority signs. Each has a prefix of its own, so that a signature for one purpose holds for no other. */
const DOMAINS = { token: domain('relayd membership token'), revocations: domain('relayd revocation list') } as const;

export type SignedKind = keyof typeof DOMAINS;

/** Ed25519, RFC 8032. */
const SIGNATURE_BYTES = 64;

/** What is signed and the signature behind it. */
export interface Sealed {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** `payload`, and the authority's signature behind it. */
export function seal(kind: SignedKind, payload: Uint8Array, key: KeyObject): Uint8Array {
  return concat([payload, sign(null, concat([DOMAINS[kind], payload]), key)]);
}

/** The two parts of what {@link seal} makes; `undefined` when it is too short for both. */
export function splitSealed(bytes: Uint8Array): Sealed | undefined {
  const end = bytes.byteLength - SIGNATURE_BYTES;
  return end > 0 ? { payload: bytes.subarray(0, end), signature: bytes.subarray(end) } : undefined;
}

/** Whether the authority signed it. */
export type IsSealed = (kind: SignedKind, sealed: Sealed) => boolean;

/**
 * What checks the signatures of the authority with this public key. It is strict, in libsodium and in OpenSSL alike: a second form of a valid
 * signature (its S without the reduction, RFC 8032 section 5.1.7) is none.
 *
 * @param publicKey 32 bytes
 */
export function sealedBy(publicKey: Uint8Array): IsSealed {
  const isSigned = verifierOf(publicKey);
  return (kind, { payload, signature }) => isSigned(concat([DOMAINS[kind], payload]), signature);
}

type Verifier = (message: Uint8Array, signature: Uint8Array) => boolean;

interface SodiumVerify {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** Twice as fast as OpenSSL here (`scripts/bench realm-tokens`). */
const sodium = optionalModule('sodium-native') as SodiumVerify | undefined;

function verifierOf(publicKey: Uint8Array): Verifier {
  return sodium === undefined ? opensslVerifier(publicKey) : (message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

/** With a key object that is made once: making one costs as much as verifying. */
export function opensslVerifier(publicKey: Uint8Array): Verifier {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' });
  return (message, signature) => verify(null, message, key, signature);
}

/** The zero byte ends it: no domain begins another, whatever follows. */
function domain(name: string): Uint8Array {
  return new TextEncoder().encode(`${name}\0`);
}
