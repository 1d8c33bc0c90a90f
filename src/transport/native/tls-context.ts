import type { PrivateKey } from '@libp2p/interface';
import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { makeOwnCertificate } from './tls-own-certificate.ts';

/** A new key at times, so that a stolen one is not good for ever. */
const LIFE_MS = 7 * 24 * 3600 * 1000;

/** The cheapest first; all are of TLS 1.3. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

interface Made {
  context: Promise<SecureContext>;
  /** Milliseconds since the epoch. */
  at: number;
}

const made = new WeakMap<PrivateKey, Made>();

/** The certificate of an identity and what goes with it, made once for all its connections; new after a week. */
export async function tlsContext(identity: PrivateKey, now: number = Date.now()): Promise<SecureContext> {
  const last = made.get(identity);
  if (last !== undefined && Math.abs(now - last.at) < LIFE_MS) {
    return await last.context;
  }
  const next = { context: makeContext(identity), at: now };
  made.set(identity, next);
  next.context.catch(() => made.delete(identity));
  return await next.context;
}

async function makeContext(identity: PrivateKey): Promise<SecureContext> {
  return createSecureContext({
    ...(await makeOwnCertificate(identity)),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
    // Nobody's: else OpenSSL loads those of the web, and a peer's certificate is never issued by any.
    ca: [],
  });
}
