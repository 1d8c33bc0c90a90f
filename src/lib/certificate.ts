import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { SecretFile, SecretProblem } from './secret-files.ts';
import { openToEveryone } from './secret-files.ts';

/** The rules for a server's certificate and its key, as files in PEM: the same where a configuration is checked and where they are used. */

/** What a server's certificate says of itself. */
export interface CertificateFacts {
  /** Unix milliseconds. */
  startsAt: number;
  expiresAt: number;
  /** As it names them: `DNS:relay.example.org, IP Address:192.0.2.1`. */
  names: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const CERTIFICATE_FORM = 'a file in PEM with the certificate first and those of its issuers behind it (`fullchain.pem` of most tools)';
const KEY_FORM = 'the private key of the certificate, in PEM and without a password (`privkey.pem` of most tools)';

/** What is wrong with a certificate file. */
export function certificateProblem(path: string, text: string): SecretProblem | undefined {
  return chain(text) === undefined ? { problem: `${path} holds no certificate that can be read`, expected: CERTIFICATE_FORM } : undefined;
}

/** What is wrong with a key file, by itself or with `certificate`, the text of the other file. */
export function certificateKeyProblem({ path, mode, text }: SecretFile, certificate: string | undefined): SecretProblem | undefined {
  const open = openToEveryone(path, mode, 'key');
  if (open !== undefined) {
    return open;
  }
  const key = readKey(text);
  if (key === undefined) {
    return { problem: `${path} holds no private key that can be read`, expected: KEY_FORM };
  }
  const [first, ...issuers] = (certificate === undefined ? undefined : chain(certificate)) ?? [];
  if (first === undefined || first.checkPrivateKey(key)) {
    return undefined;
  }
  return issuers.some((issuer) => issuer.checkPrivateKey(key))
    ? { problem: `${path} is the key of a certificate that does not come first in its file`, expected: CERTIFICATE_FORM }
    : { problem: `${path} is not the key of the certificate`, expected: KEY_FORM };
}

/** @throws Error when there is no certificate in `text` */
export function certificateFacts(text: string): CertificateFacts {
  const first = chain(text)?.[0];
  if (first === undefined) {
    throw new Error('no certificate');
  }
  return { startsAt: Date.parse(first.validFrom), expiresAt: Date.parse(first.validTo), names: first.subjectAltName ?? '' };
}

/** Undefined when there is none, or one of them cannot be read. */
function chain(text: string): X509Certificate[] | undefined {
  try {
    const found = text.match(CERTIFICATE)?.map((pem) => new X509Certificate(pem)) ?? [];
    return found.length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}

function readKey(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    return undefined;
  }
}
