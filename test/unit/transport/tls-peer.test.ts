import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import { InvalidCryptoExchangeError } from '@libp2p/interface';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { generateCertificate } from '@libp2p/tls/utils';
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { certifiedPeer } from '../../../src/transport/native/tls-peer.ts';
import { der, extension, forge, LIBP2P_ID, newKeys } from './tls-forge.ts';
import type { Forgery } from './tls-forge.ts';
import { VECTORS } from './tls-vectors.ts';

const NOW = Date.UTC(2030, 0, 1);
const DAY_MS = 24 * 3_600_000;
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex');
const RSA_SHA256 = Buffer.from('300d06092a864886f70d01010b0500', 'hex');

describe("a peer's certificate", () => {
  let hostKey: PrivateKey;
  before(async () => (hostKey = await generateKeyPair('Ed25519')));

  async function peerOf(forgery: Partial<Forgery>): Promise<string> {
    const { der: bytes } = await forge({ hostKey, notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS, ...forgery });
    return certifiedPeer(bytes, NOW).toString();
  }

  describe('of the specification', () => {
    for (const { name, der: bytes, peer } of VECTORS) {
      test(`with ${name}`, () => {
        if (peer === undefined) assert.throws(() => certifiedPeer(bytes, NOW), InvalidCryptoExchangeError);
        else assert.equal(certifiedPeer(bytes, NOW).toString(), peer);
      });
    }
  });

  describe('that is right', () => {
    const cases: [name: string, forgery: () => Partial<Forgery>][] = [
      ['as it is', () => ({})],
      ['with the extension critical', () => ({ extensions: (right) => [critical(right)] })],
      ['with another extension before it', () => ({ extensions: (right) => [extension(SUBJECT_ALT_NAME, der(0x30)), right] })],
      ['with another extension behind it', () => ({ extensions: (right) => [right, extension(Buffer.from('2a0304', 'hex'), der(5))] })],
      ['of P-384, signed with SHA-384', () => ({ keys: newKeys('P-384'), hash: 'sha384', signatureAlgorithm: Buffer.from('300a06082a8648ce3d040303', 'hex') })],
      ['of RSA', () => ({ keys: rsa(2048), signatureAlgorithm: RSA_SHA256 })],
      ['of RSA, signed by PSS with SHA-256', () => ({ keys: rsa(2048), pss: true, signatureAlgorithm: pssAlgorithm('01', '20') })],
      ['of RSA, signed by PSS with SHA-512', () => ({ keys: rsa(2048), pss: true, hash: 'sha512', signatureAlgorithm: pssAlgorithm('03', '40') })],
      ['of Ed25519', () => ({ keys: generateKeyPairSync('ed25519'), hash: null, signatureAlgorithm: Buffer.from('300506032b6570', 'hex') })],
      ['at its first moment', () => ({ notBefore: NOW })],
      ['at its last', () => ({ notAfter: NOW })],
    ];
    for (const [name, forgery] of cases) {
      test(name, async () => {
        assert.equal(await peerOf(forgery()), peerIdFromPrivateKey(hostKey as never).toString());
      });
    }

    for (const type of ['Ed25519', 'secp256k1', 'RSA'] as const) {
      test(`made by the library for a key of ${type}`, async () => {
        const key = await generateKeyPair(type as 'Ed25519');
        const { cert } = await generateCertificate(key);
        assert.equal(certifiedPeer(new X509Certificate(cert).raw, Date.now()).toString(), peerIdFromPrivateKey(key).toString());
      });
    }
  });

  describe('that is wrong', () => {
    const cases: [name: string, forgery: () => Partial<Forgery>, reason: RegExp][] = [
      ['not valid yet', () => ({ notBefore: NOW + 1000 }), /not valid yet/],
      ['expired', () => ({ notAfter: NOW - 1000 }), /expired/],
      ['without the extension', () => ({ extensions: () => [] }), /not at all/],
      ['with another extension in its place', () => ({ extensions: () => [extension(SUBJECT_ALT_NAME, der(0x30))] }), /not at all/],
      ['with the extension twice', () => ({ extensions: (right) => [right, right] }), /more than once/],
      ['with the extension twice, apart', () => ({ extensions: (right) => [right, extension(SUBJECT_ALT_NAME, der(0x30)), right] }), /more than once/],
      ['with an unknown critical extension', () => ({ extensions: (right) => [right, extension(Buffer.from('2a0304', 'hex'), der(5), true)] }), /critical/],
      ['whose key another identity signed', () => ({ signed: () => Buffer.from('something else') }), /did not sign/],
      ['whose key was signed without the prefix', () => ({ signed: (right) => right.subarray('libp2p-tls-handshake:'.length) }), /did not sign/],
      ['signed by another key than its own', () => ({ signer: newKeys().privateKey }), /own key/],
      ['of an RSA key of 1024 bits', () => ({ keys: rsa(1024), signatureAlgorithm: RSA_SHA256 }), /1024 bits/],
      ['of a curve written out', () => ({ keys: explicitCurve() }), /kind of key/],
      ['of a curve that TLS does not have', () => ({ keys: newKeys('secp256k1') }), /kind of key/],
      ['signed with SHA-1', () => ({ hash: 'sha1', signatureAlgorithm: Buffer.from('300906072a8648ce3d0401', 'hex') }), /signature algorithm/],
      ['signed by PSS with SHA-1', () => ({ keys: rsa(2048), pss: true, hash: 'sha1', signatureAlgorithm: Buffer.from('300d06092a864886f70d01010a3000', 'hex') }), /signature algorithm/],
      ['of a key for PSS alone', () => ({ keys: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }), pss: true, signatureAlgorithm: pssAlgorithm('01', '20') }), /kind of key/],
      ['signed with MD5', () => ({ keys: rsa(2048), hash: 'md5', signatureAlgorithm: Buffer.from('300d06092a864886f70d0101040500', 'hex') }), /signature algorithm/],
      ['of version 1', () => ({ version: 0 }), /version/],
      ['with a unique id of its subject', () => ({ before: der(0x82, Buffer.of(0, 1)) }), /element of tag/],
      ['with bytes behind the signed key', () => ({ behindSignedKey: der(4, Buffer.of(1)) }), /bytes behind/],
      ['with a host key that is none', () => ({ protobuf: Buffer.from([8, 1, 18, 2, 1, 2]) }), /not valid/],
      ['with a host key of an unknown kind', () => ({ protobuf: Buffer.from([8, 9, 18, 2, 1, 2]) }), /not valid/],
      ['with an empty signed key', () => ({ extensions: () => [extension(LIBP2P_ID, der(0x30))] }), /element of tag/],
    ];
    for (const [name, forgery, reason] of cases) {
      test(name, async () => {
        const found = peerOf(forgery());
        await assert.rejects(found, InvalidCryptoExchangeError);
        await assert.rejects(found, reason);
      });
    }

    test('with an RSA host key of 1024 bits', async () => {
      const weak = await generateKeyPair('RSA', 1024);
      await assert.rejects(peerOf({ hostKey: weak }), /1024 bits/);
    });

    test('claiming the key of another identity', async () => {
      const other = await generateKeyPair('Ed25519');
      await assert.rejects(peerOf({ protobuf: publicKeyToProtobuf(other.publicKey) }), /did not sign/);
    });

    test('cut or changed anywhere: never taken, and never an error of another kind', async () => {
      const { der: bytes } = await forge({ hostKey, notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS });
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << at % 8);
        assert.throws(() => certifiedPeer(changed, NOW), InvalidCryptoExchangeError, `byte ${at}`);
        assert.throws(() => certifiedPeer(bytes.subarray(0, at), NOW), InvalidCryptoExchangeError, `cut at ${at}`);
      }
      assert.throws(() => certifiedPeer(Buffer.concat([bytes, Buffer.of(0)]), NOW), InvalidCryptoExchangeError);
    });
  });
});

function critical(right: Buffer): Buffer {
  const value = right.subarray(right.indexOf(LIBP2P_ID) + LIBP2P_ID.length);
  return der(0x30, der(6, LIBP2P_ID), der(1, Buffer.of(0xff)), value);
}

function rsa(modulusLength: number): ReturnType<typeof newKeys> {
  return generateKeyPairSync('rsa', { modulusLength });
}

/** RSASSA-PSS with SHA-2, the same for the mask, and a salt of its length. */
function pssAlgorithm(sha: string, salt: string): Buffer {
  const hash = der(0x30, der(6, Buffer.from(`6086480165030402${sha}`, 'hex')), der(5));
  const mask = der(0x30, der(6, Buffer.from('2a864886f70d010108', 'hex')), hash);
  const parameters = der(0x30, der(0xa0, hash), der(0xa1, mask), der(0xa2, der(2, Buffer.from(salt, 'hex'))));
  return der(0x30, der(6, Buffer.from('2a864886f70d01010a', 'hex')), parameters);
}

function explicitCurve(): ReturnType<typeof newKeys> {
  return generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
}
