import { DerReader, Tag } from './tls-der.ts';

/** What the peer's certificate says (RFC 5280, 4.1), as far as libp2p asks. Nothing in it has been verified. */
export interface Certificate {
  /** AlgorithmIdentifier of the signature, in DER. */
  signatureAlgorithm: Buffer;
  /** Milliseconds since the epoch. */
  notBefore: number;
  notAfter: number;
  /** SubjectPublicKeyInfo, in DER. */
  publicKeyInfo: Buffer;
  extensions: Extension[];
}

export interface Extension {
  /** The content of the OBJECT IDENTIFIER, as hexadecimal digits. */
  id: string;
  critical: boolean;
  value: Buffer;
}

const VERSION_3 = Buffer.from([Tag.INTEGER, 1, 2]);

/** @throws Error when `der` is not one certificate of version 3 in DER, or names unique ids, which the specification forbids */
export function readCertificate(der: Buffer): Certificate {
  const file = new DerReader(der);
  const outer = file.inside(Tag.SEQUENCE);
  file.end();
  const signed = outer.inside(Tag.SEQUENCE);
  const signatureAlgorithm = outer.element(Tag.SEQUENCE);
  outer.bits();
  outer.end();
  const certificate = readSigned(signed);
  if (!certificate.signatureAlgorithm.equals(signatureAlgorithm)) {
    throw new Error('a certificate that names two signature algorithms');
  }
  return certificate;
}

/** TBSCertificate. */
function readSigned(signed: DerReader): Certificate {
  if (!signed.content(Tag.context(0)).equals(VERSION_3)) {
    throw new Error('a certificate of a version other than 3');
  }
  signed.content(Tag.INTEGER);
  const signatureAlgorithm = signed.element(Tag.SEQUENCE);
  signed.content(Tag.SEQUENCE);
  const validity = signed.inside(Tag.SEQUENCE);
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
  validity.end();
  signed.content(Tag.SEQUENCE);
  const publicKeyInfo = signed.element(Tag.SEQUENCE);
  const extensions = readExtensions(signed);
  signed.end();
  return { signatureAlgorithm, notBefore, notAfter, publicKeyInfo, extensions };
}

function readExtensions(signed: DerReader): Extension[] {
  if (signed.tag === undefined) {
    return [];
  }
  // [1] and [2], the unique ids, would be here.
  const field = signed.inside(Tag.context(3));
  const list = field.inside(Tag.SEQUENCE);
  field.end();
  const extensions: Extension[] = [];
  while (list.tag !== undefined) {
    const extension = list.inside(Tag.SEQUENCE);
    const id = extension.content(Tag.OBJECT_ID).toString('hex');
    const critical = extension.tag === Tag.BOOLEAN && extension.content(Tag.BOOLEAN).some((byte) => byte !== 0);
    const value = extension.content(Tag.OCTET_STRING);
    extension.end();
    extensions.push({ id, critical, value });
  }
  return extensions;
}

/** A time to the second in UTC (RFC 5280, 4.1.2.5); years of two digits lie between 1950 and 2049. */
function readTime(validity: DerReader): number {
  const long = validity.tag === Tag.GENERALIZED_TIME;
  const text = validity.content(long ? Tag.GENERALIZED_TIME : Tag.UTC_TIME).toString('latin1');
  const digits = long ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = Date.parse(iso);
  // Date.parse takes the 30th of February for the 1st of March.
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) {
    throw new Error('a certificate with a time that is none');
  }
  return time;
}
