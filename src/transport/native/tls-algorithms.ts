import { DerReader, Tag } from './tls-der.ts';

/**
 * AlgorithmIdentifiers in DER, in hexadecimal digits. Each has one encoding, so nothing need be understood of what an attacker writes
 * into its parameters. The specification (libp2p/specs, tls/tls.md) asks for hashes of at least 256 bits and curves by name.
 */
export const SIGNATURES: ReadonlySet<string> = new Set([
  // ECDSA with SHA-256, SHA-384, SHA-512.
  '300a06082a8648ce3d040302',
  '300a06082a8648ce3d040303',
  '300a06082a8648ce3d040304',
  // RSA, PKCS #1 v1.5, with the same.
  '300d06092a864886f70d01010b0500',
  '300d06092a864886f70d01010c0500',
  '300d06092a864886f70d01010d0500',
  pss(1, 32),
  pss(2, 48),
  pss(3, 64),
  // Ed25519.
  '300506032b6570',
]);

/** P-256, P-384, P-521. */
export const EC_KEYS: ReadonlySet<string> = new Set(['301306072a8648ce3d020106082a8648ce3d030107', '301006072a8648ce3d020106052b81040022', '301006072a8648ce3d020106052b81040023']);
export const RSA_KEYS: ReadonlySet<string> = new Set(['300d06092a864886f70d0101010500']);
/** Those of certificates. The last is Ed25519. */
export const KEYS: ReadonlySet<string> = new Set([...EC_KEYS, ...RSA_KEYS, '300506032b6570']);

/** What go takes too; verifying with a longer one takes too long. */
const RSA_BITS = { min: 2048, max: 8192 };

/** `spki`, a SubjectPublicKeyInfo. @throws Error when its algorithm is not among `allowed`, or it is an RSA key that is too short or too long */
export function checkKey(spki: Buffer, allowed: ReadonlySet<string>): Buffer {
  const info = new DerReader(spki).inside(Tag.SEQUENCE);
  const algorithm = info.element(Tag.SEQUENCE).toString('hex');
  if (!allowed.has(algorithm)) {
    throw new Error('a kind of key that is not allowed');
  }
  if (RSA_KEYS.has(algorithm)) {
    const modulus = new DerReader(info.bits()).inside(Tag.SEQUENCE).content(Tag.INTEGER);
    const bits = bitLength(modulus);
    if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
      throw new Error(`an RSA key of ${bits} bits, which is not allowed`);
    }
  }
  return spki;
}

/** Of a positive INTEGER. */
function bitLength(integer: Buffer): number {
  const first = integer.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (integer.length - first) * 8 - Math.clz32(integer[first] ?? 0) + 24;
}

/** RSASSA-PSS with one hash (2.16.840.1.101.3.4.2.n) for the message and the mask, and a salt of its length (RFC 8017, A.2.3). */
function pss(n: number, saltBytes: number): string {
  const sha = `300d060960864801650304020${n}0500`;
  return `304106092a864886f70d01010a3034a00f${sha}a11c301a06092a864886f70d010108${sha}a2030201${saltBytes.toString(16)}`;
}
