import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { verifyPeerCertificate } from '@libp2p/tls/utils';
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { makeOwnCertificate } from '../../../src/transport/native/tls-own-certificate.ts';
import { certifiedPeer } from '../../../src/transport/native/tls-peer.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

describe("a peer's own certificate", () => {
  for (const type of ['Ed25519', 'secp256k1', 'RSA'] as const) {
    it(`of a ${type} key shows whose it is, to this program and to the library`, async () => {
      const identity = await generateKeyPair(type);
      const peer = peerIdFromPrivateKey(identity);
      const { cert, key } = await makeOwnCertificate(identity);
      const certificate = new X509Certificate(cert);
      assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
      assert.equal(certifiedPeer(certificate.raw, Date.now()).toString(), peer.toString());
      assert.equal((await verifyPeerCertificate(certificate.raw, peer)).toString(), peer.toString());
    });
  }

  it('is good for peers whose clock is off, in either direction', async () => {
    const identity = await generateKeyPair('Ed25519');
    const { raw } = new X509Certificate((await makeOwnCertificate(identity)).cert);
    for (const now of [0, Date.now() - YEAR_MS, Date.now() - 2 * 3_600_000, Date.now() + 50 * YEAR_MS]) {
      assert.equal(certifiedPeer(raw, now).toString(), peerIdFromPrivateKey(identity).toString(), new Date(now).toISOString());
    }
  });

  it('has a key and a number of its own each time', async () => {
    const identity = await generateKeyPair('Ed25519');
    const [one, two] = (await Promise.all([makeOwnCertificate(identity), makeOwnCertificate(identity)])).map(({ cert }) => new X509Certificate(cert));
    assert.notEqual(one!.serialNumber, two!.serialNumber);
    assert.notDeepEqual(one!.publicKey.export({ type: 'spki', format: 'der' }), two!.publicKey.export({ type: 'spki', format: 'der' }));
  });
});
