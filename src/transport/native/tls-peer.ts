import { InvalidCryptoExchangeError, UnexpectedPeerError } from '@libp2p/interface';
import type { PeerId } from '@libp2p/interface';
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { errorMessage } from '../../lib/errors.ts';
import { checkKey, KEYS, SIGNATURES } from './tls-algorithms.ts';
import { readCertificate } from './tls-certificate.ts';
import type { Certificate, Extension } from './tls-certificate.ts';
import { DerReader, Tag } from './tls-der.ts';
import { readHostKey } from './tls-host-key.ts';

/** 1.3.6.1.4.1.53594.1.1, the libp2p public key extension. */
export const LIBP2P_EXTENSION = '2b0601040183a25a0101';
/** What the host key signs begins with this; the certificate's SubjectPublicKeyInfo follows. */
export const SIGNED_PREFIX = Buffer.from('libp2p-tls-handshake:');

/**
 * The peer at the other end of a TLS connection whose handshake is over (libp2p/specs, tls/tls.md, "Peer Authentication").
 *
 * Of a chain, only a second certificate that could have issued the first is seen and refused. Node shows the others by
 * `getPeerX509Certificate` alone, which never frees them: a stranger's means to fill our memory, and nobody looks at them anyway.
 *
 * @throws InvalidCryptoExchangeError saying what is wrong with the certificate; UnexpectedPeerError when it is not `expected`
 */
export function authenticatedPeer(socket: TLSSocket, expected: PeerId | undefined): PeerId {
  const certificate = socket.getPeerCertificate(true);
  // Without a certificate there is an empty object, and when the socket has gone, null.
  if (certificate?.raw === undefined) {
    throw new InvalidCryptoExchangeError('the peer has shown no certificate');
  }
  if (certificate.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate) {
    throw new InvalidCryptoExchangeError('the peer has shown more than one certificate');
  }
  const peer = certifiedPeer(certificate.raw, Date.now());
  if (expected !== undefined && !expected.equals(peer)) {
    throw new UnexpectedPeerError(`${expected.toString()} was expected, and ${peer.toString()} answered`);
  }
  return peer;
}

/** The peer whose key vouches for a certificate in DER. `now` is in milliseconds. @throws InvalidCryptoExchangeError saying what is wrong */
export function certifiedPeer(der: Buffer, now: number): PeerId {
  try {
    const certificate = readCertificate(der);
    checkDates(certificate, now);
    checkAlgorithms(certificate);
    const { hostKey, signature } = readSignedKey(libp2pExtension(certificate.extensions));
    const key = readHostKey(hostKey);
    checkSelfSigned(der);
    if (!key.verify(Buffer.concat([SIGNED_PREFIX, certificate.publicKeyInfo]), signature)) {
      throw new Error("the peer's key did not sign the certificate's key");
    }
    return key.peerId;
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
  if (!SIGNATURES.has(signatureAlgorithm.toString('hex'))) {
    throw new Error('its signature algorithm is not allowed');
  }
  checkKey(publicKeyInfo, KEYS);
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
