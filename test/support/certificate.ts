import { hash, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { der, extension, newKeys } from '../unit/transport/tls-forge.ts';

/** Certificates as a web server has them: an authority of the test's own, and what it signs. */

interface Options {
  /** DNS names and IPv4 addresses. */
  names?: readonly string[];
  /** Unix milliseconds. */
  startsAt?: number;
  expiresAt?: number;
  /** It is good for a client too: where a server asks for one. */
  forClients?: boolean;
}

export interface WebCertificate {
  /** The certificate, and that of its authority behind it. */
  cert: string;
  key: string;
  /** What Chromium calls it by in `--ignore-certificate-errors-spki-list`. */
  spkiHash: string;
}

const DAY_MS = 24 * 3_600_000;
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const ID = { commonName: '550403', basicConstraints: '551d13', keyUsage: '551d0f', serverAuth: '2b06010505070301', clientAuth: '2b06010505070302', extendedKeyUsage: '551d25', subjectAltName: '551d11' };
const DIGITAL_SIGNATURE = Buffer.of(7, 0x80);
const CERT_SIGN = Buffer.of(2, 0x04);

export class WebAuthority {
  readonly #keys = newKeys();
  /** In PEM: what a client is told to trust. */
  readonly cert: string;

  constructor() {
    const extensions = [extension(id('basicConstraints'), der(0x30, der(1, Buffer.of(0xff))), true), extension(id('keyUsage'), der(3, CERT_SIGN), true)];
    this.cert = this.#signed('test authority', this.#keys.publicKey, extensions, {});
  }

  issue({ names = ['localhost', '127.0.0.1'], forClients = false, ...times }: Options = {}): WebCertificate {
    const { publicKey, privateKey } = newKeys();
    const alternatives = names.map((name) => (isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name))));
    const extensions = [
      extension(id('keyUsage'), der(3, DIGITAL_SIGNATURE), true),
      extension(id('extendedKeyUsage'), der(0x30, der(6, id('serverAuth')), ...(forClients ? [der(6, id('clientAuth'))] : []))),
      extension(id('subjectAltName'), der(0x30, ...alternatives)),
    ];
    return {
      cert: this.#signed(names[0] ?? '', publicKey, extensions, times) + this.cert,
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      spkiHash: hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'base64'),
    };
  }

  #signed(subject: string, publicKey: KeyObject, extensions: Buffer[], { startsAt = Date.now() - DAY_MS, expiresAt = Date.now() + 90 * DAY_MS }: Options): string {
    const body = der(
      0x30,
      der(0xa0, der(2, Buffer.of(2))),
      der(2, Buffer.of(1, Math.floor(Math.random() * 256), Math.floor(Math.random() * 256))),
      ECDSA_SHA256,
      named('test authority'),
      der(0x30, time(startsAt), time(expiresAt)),
      named(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, der(0x30, ...extensions)),
    );
    const whole = der(0x30, body, ECDSA_SHA256, der(3, Buffer.of(0), sign('sha256', body, this.#keys.privateKey)));
    return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  }
}

/** Writes the two files that the configuration names. */
export function writeCertificate(dir: string, { cert, key }: Pick<WebCertificate, 'cert' | 'key'>): { certFile: string; keyFile: string } {
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key, { mode: 0o600 });
  chmodSync(files.keyFile, 0o600);
  return files;
}

function id(name: keyof typeof ID): Buffer {
  return Buffer.from(ID[name], 'hex');
}

function named(text: string): Buffer {
  return der(0x30, der(0x31, der(0x30, der(6, id('commonName')), der(0x0c, Buffer.from(text)))));
}

/** UTCTime, as RFC 5280 has it until 2049. */
function time(ms: number): Buffer {
  return der(0x17, Buffer.from(new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '').slice(2)));
}
