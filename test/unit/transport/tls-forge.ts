import { publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Certificates as a peer could send them, right and wrong. */
export interface Forgery {
  hostKey: PrivateKey;
  /** Milliseconds since the epoch. */
  notBefore?: number;
  notAfter?: number;
  /** In place of those that belong there. */
  extensions?: (right: Buffer) => Buffer[];
  /** Bytes between the key and the extensions: unique ids. */
  before?: Buffer;
  signatureAlgorithm?: Buffer;
  /** Null for Ed25519, which has its own. */
  hash?: string | null;
  /** RSASSA-PSS in place of PKCS #1 v1.5. */
  pss?: boolean;
  keys?: { publicKey: KeyObject; privateKey: KeyObject };
  /** What the host key signs, in place of what it has to. */
  signed?: (right: Buffer) => Buffer;
  /** The key that signs the certificate, when it is not its own. */
  signer?: KeyObject;
  version?: number;
  /** The encoded public key in the extension. */
  protobuf?: Uint8Array;
  behindSignedKey?: Buffer;
}

export interface Forged {
  der: Buffer;
  /** For Node. */
  cert: string;
  key: string;
}

export const LIBP2P_ID = Buffer.from('2b0601040183a25a0101', 'hex');
const HOUR_MS = 3_600_000;
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/** One DER element. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const length = body.length.toString(16);
  const digits = Buffer.from(length.length % 2 === 0 ? length : `0${length}`, 'hex');
  return Buffer.concat([Buffer.from(body.length < 0x80 ? [tag, body.length] : [tag, 0x80 + digits.length, ...digits]), body]);
}

export function extension(id: Buffer, value: Buffer, critical = false): Buffer {
  return der(0x30, der(6, id), ...(critical ? [der(1, Buffer.of(0xff))] : []), der(4, value));
}

export function newKeys(namedCurve = 'P-256'): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve });
}

export async function forge(options: Forgery): Promise<Forged> {
  const keys = options.keys ?? newKeys();
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
  const signedBytes = (options.signed ?? same)(Buffer.concat([Buffer.from('libp2p-tls-handshake:'), spki]));
  const hostSignature = await options.hostKey.sign(signedBytes);
  const protobuf = options.protobuf ?? publicKeyToProtobuf(options.hostKey.publicKey);
  const signedKey = der(0x30, der(4, protobuf), der(4, hostSignature), options.behindSignedKey ?? Buffer.of());
  const right = extension(LIBP2P_ID, signedKey);
  const algorithm = options.signatureAlgorithm ?? ECDSA_SHA256;
  const name = der(0x30);
  const toSign = der(
    0x30,
    der(0xa0, der(2, Buffer.of(options.version ?? 2))),
    der(2, Buffer.of(1, 2, 3)),
    algorithm,
    name,
    der(0x30, time(options.notBefore ?? Date.now() - HOUR_MS), time(options.notAfter ?? Date.now() + HOUR_MS)),
    name,
    spki,
    options.before ?? Buffer.of(),
    der(0xa3, der(0x30, ...(options.extensions ?? justThis)(right))),
  );
  const signer = options.signer ?? keys.privateKey;
  const padding = { key: signer, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  const signature = sign(options.hash === undefined ? 'sha256' : options.hash, toSign, options.pss === true ? padding : signer);
  const whole = der(0x30, toSign, algorithm, der(3, Buffer.of(0), signature));
  return { der: whole, cert: pem('CERTIFICATE', whole), key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

function justThis(right: Buffer): Buffer[] {
  return [right];
}

function time(ms: number): Buffer {
  return der(0x18, Buffer.from(new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '')));
}

function pem(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
}
