import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import { InvalidCryptoExchangeError, UnexpectedPeerError } from '@libp2p/interface';
import type { PeerId, PublicKey } from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromPublicKey } from '@libp2p/peer-id';
import * as Digest from 'multiformats/hashes/digest';
import { createPublicKey, hash, verify, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { errorMessage } from '../../lib/errors.ts';
import { readCertificate } from './tls-certificate.ts';
import type { Certificate, Extension } from './tls-certificate.ts';
import { DerReader, Tag } from './tls-der.ts';

/** 1.3.6.1.4.1.53594.1.1, the libp2p public key extension. */
const LIBP2P_EXTENSION = '2b0601040183a25a0101';
const SIGNED_PREFIX = Buffer.from('libp2p-tls-handshake:');

/** AlgorithmIdentifiers in DER. Each has one encoding, so that nothing need be understood of what an attacker writes into them. */
const SIGNATURE_ALGORITHMS = new Set([
  ...['300a06082a8648ce3d040302', '300a06082a8648ce3d040303', '300a06082a8648ce3d040304'], // ECDSA with SHA-256, SHA-384, SHA-512
  ...['300d06092a864886f70d01010b0500', '300d06092a864886f70d01010c0500', '300d06092a864886f70d01010d0500'], // RSA PKCS #1 v1.5, likewise
  ...[pss(1, 32), pss(2, 48), pss(3, 64)],
  '300506032b6570', // Ed25519
]);
const RSA_KEY = '300d06092a864886f70d0101010500';
/** Curves by name only: parameters written out may be those of a weak curve. */
const KEY_ALGORITHMS = new Set([
  '301306072a8648ce3d020106082a8648ce3d030107', // P-256
  '301006072a8648ce3d020106052b81040022', // P-384
  '301006072a8648ce3d020106052b81040023', // P-521
  '300506032b6570', // Ed25519
  RSA_KEY,
]);
/** Longer ones are refused as well: verifying takes the time of their square. */
const RSA_BITS = { min: 2048, max: 8192 };
/** What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410, section 4). */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * The peer at the other end of a TLS connection whose handshake is over (libp2p/specs, tls/tls.md, "Peer Authentication").
 *
 * Of a chain, only a second certificate that could have issued the first is seen and refused. Node shows the others by
 * `getPeerX509Certificate` alone, which never frees them: a stranger's means to fill our memory, and nobody looks at them anyway.
 *
 * @throws InvalidCryptoExchangeError saying what is wrong with the certificate; UnexpectedPeerError when it is not `expected`
 */
export async function authenticatedPeer(socket: TLSSocket, expected: PeerId | undefined): Promise<PeerId> {
  const certificate = socket.getPeerCertificate(true);
  // Without a certificate there is an empty object, and when the socket has gone, null.
  if (certificate?.raw === undefined) {
    throw new InvalidCryptoExchangeError('the peer has shown no certificate');
  }
  if (certificate.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate) {
    throw new InvalidCryptoExchangeError('the peer has shown more than one certificate');
  }
  const peer = await certifiedPeer(certificate.raw, Date.now());
  if (expected !== undefined && !expected.equals(peer)) {
    throw new UnexpectedPeerError(`${expected.toString()} was expected, and ${peer.toString()} answered`);
  }
  return peer;
}

/** The peer whose key vouches for a certificate in DER. `now` is in milliseconds. @throws InvalidCryptoExchangeError saying what is wrong */
export async function certifiedPeer(der: Buffer, now: number): Promise<PeerId> {
  try {
    const certificate = readCertificate(der);
    checkDates(certificate, now);
    checkAlgorithms(certificate);
    const { hostKey, signature } = readSignedKey(libp2pExtension(certificate.extensions));
    const key = readHostKey(hostKey);
    checkSelfSigned(der);
    if (!(await verifyBy(key, Buffer.concat([SIGNED_PREFIX, certificate.publicKeyInfo]), signature))) {
      throw new Error("the peer's key did not sign the certificate's key");
    }
    return peerIdOf(key);
  } catch (error) {
    throw new InvalidCryptoExchangeError(`the peer's certificate is not valid: ${errorMessage(error)}`);
  }
}

function checkDates({ notBefore, notAfter }: Certificate, now: number): void {
  if (now < notBefore) {
    throw new Error('it is not valid yet');
  }
  if (now > notAfter) {
    throw new Error('it has expired');
  }
}

function checkAlgorithms({ signatureAlgorithm, publicKeyInfo }: Certificate): void {
  if (!SIGNATURE_ALGORITHMS.has(signatureAlgorithm.toString('hex'))) {
    throw new Error('its signature algorithm is not allowed');
  }
  checkKey(publicKeyInfo);
}

/** @throws Error when the algorithm of a SubjectPublicKeyInfo is not allowed, or an RSA key is too short or too long */
function checkKey(publicKeyInfo: Buffer): void {
  const info = new DerReader(publicKeyInfo).inside(Tag.SEQUENCE);
  const algorithm = info.element(Tag.SEQUENCE).toString('hex');
  if (!KEY_ALGORITHMS.has(algorithm)) {
    throw new Error('its kind of key is not allowed');
  }
  if (algorithm === RSA_KEY) {
    const modulus = new DerReader(info.bits()).inside(Tag.SEQUENCE).content(Tag.INTEGER);
    const bits = BigInt(`0x0${modulus.toString('hex')}`).toString(2).length;
    if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
      throw new Error(`an RSA key of ${bits} bits is not allowed`);
    }
  }
}

/** OpenSSL has verified that the peer holds the key, but not that the key signed the certificate. */
function checkSelfSigned(der: Buffer): void {
  const certificate = new X509Certificate(der);
  if (!certificate.verify(certificate.publicKey)) {
    throw new Error('it is not signed by its own key');
  }
}

/** The value of the one libp2p extension, wherever it stands and whether critical or not. */
function libp2pExtension(extensions: readonly Extension[]): Buffer {
  const [ours, ...more] = extensions.filter(({ id }) => id === LIBP2P_EXTENSION);
  if (ours === undefined || more.length > 0) {
    throw new Error(`it has the libp2p extension ${ours === undefined ? 'not at all' : 'more than once'}`);
  }
  if (extensions.some(({ id, critical }) => critical && id !== LIBP2P_EXTENSION)) {
    throw new Error('it has a critical extension that we do not understand');
  }
  return ours.value;
}

/** SignedKey. */
function readSignedKey(value: Buffer): { hostKey: Buffer; signature: Buffer } {
  const outer = new DerReader(value);
  const signedKey = outer.inside(Tag.SEQUENCE);
  outer.end();
  const hostKey = signedKey.content(Tag.OCTET_STRING);
  const signature = signedKey.content(Tag.OCTET_STRING);
  signedKey.end();
  return { hostKey, signature };
}

function readHostKey(protobuf: Buffer): PublicKey {
  const key = publicKeyFromProtobuf(protobuf);
  if (key.type === 'RSA') {
    checkKey(Buffer.from(key.raw));
  }
  return key;
}

/** Ed25519, the usual kind, without the library's detour by way of a JSON Web Key. */
async function verifyBy(key: PublicKey, data: Buffer, signature: Buffer): Promise<boolean> {
  if (key.type !== 'Ed25519') {
    return await key.verify(data, signature);
  }
  const object = createPublicKey({ key: Buffer.concat([SPKI_ED25519, key.raw]), format: 'der', type: 'spki' });
  return verify(null, data, object, signature);
}

/** The library makes no peer id of an ECDSA key; the specification (peer-ids) hashes its protobuf, as it does with RSA. */
function peerIdOf(key: PublicKey): PeerId {
  return key.type === 'ECDSA' ? peerIdFromMultihash(Digest.create(0x12, hash('sha256', publicKeyToProtobuf(key), 'buffer'))) : peerIdFromPublicKey(key);
}

/** RSASSA-PSS with one hash (2.16.840.1.101.3.4.2.n) for the message and the mask, and a salt of its length (RFC 8017, A.2.3). */
function pss(n: number, saltBytes: number): string {
  const sha = `300d060960864801650304020${n}0500`;
  return `304106092a864886f70d01010a3034a00f${sha}a11c301a06092a864886f70d010108${sha}a2030201${saltBytes.toString(16)}`;
}
