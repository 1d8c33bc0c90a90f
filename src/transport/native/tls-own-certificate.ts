import { publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Tag, encodeDer } from './tls-der.ts';
import { LIBP2P_EXTENSION, SIGNED_PREFIX } from './tls-peer.ts';

/** What Node takes for a TLS server or client, in PEM. */
interface OwnCertificate {
  readonly cert: string;
  readonly key: string;
}

/** ecdsa-with-SHA256 (RFC 5758, 3.2). */
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

const VERSION_3 = encodeDer(Tag.context(0), encodeDer(Tag.INTEGER, Buffer.of(2)));
const NOBODY = encodeDer(Tag.SEQUENCE);

/**
 * Peers whose clock is off take it too, those that have just started without one among them: it is the host key that vouches for this certificate, and the
 * specification asks nothing of the dates. The end is that of RFC 5280, 4.1.2.5, for one that has none.
 */
const ALWAYS = encodeDer(Tag.SEQUENCE, encodeDer(Tag.UTC_TIME, Buffer.from('700101000000Z')), encodeDer(Tag.GENERALIZED_TIME, Buffer.from('99991231235959Z')));

/** A certificate of a new key, signed by itself, with which a peer shows that it has `identity` (libp2p/specs, tls/tls.md, "Peer Authentication"). */
export async function makeOwnCertificate(identity: PrivateKey): Promise<OwnCertificate> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKeyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const extension = await libp2pExtension(identity, publicKeyInfo);
  const extensions = encodeDer(Tag.context(3), encodeDer(Tag.SEQUENCE, extension));
  const toSign = encodeDer(Tag.SEQUENCE, VERSION_3, serialNumber(), ECDSA_SHA256, NOBODY, ALWAYS, NOBODY, publicKeyInfo, extensions);
  const signature = encodeDer(Tag.BIT_STRING, Buffer.of(0), sign('sha256', toSign, privateKey));
  const cert = encodeDer(Tag.SEQUENCE, toSign, ECDSA_SHA256, signature);
  return { cert: `-----BEGIN CERTIFICATE-----\n${cert.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

async function libp2pExtension(identity: PrivateKey, publicKeyInfo: Uint8Array): Promise<Buffer> {
  const signature = await identity.sign(Buffer.concat([SIGNED_PREFIX, publicKeyInfo]));
  const signedKey = encodeDer(Tag.SEQUENCE, encodeDer(Tag.OCTET_STRING, publicKeyToProtobuf(identity.publicKey)), encodeDer(Tag.OCTET_STRING, signature));
  const isCritical = encodeDer(Tag.BOOLEAN, Buffer.of(0xff));
  return encodeDer(Tag.SEQUENCE, encodeDer(Tag.OBJECT_ID, Buffer.from(LIBP2P_EXTENSION, 'hex')), isCritical, encodeDer(Tag.OCTET_STRING, signedKey));
}

/** Positive and without leading zeros, as DER has it. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return encodeDer(Tag.INTEGER, bytes);
}
