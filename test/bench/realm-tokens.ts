// bench: membership tokens on one core: verifications a second of tokens that are new and that were seen, the signature alone by either library, tokens signed and issued a second
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerIdFromString } from '@libp2p/peer-id';
import { Registry } from 'prom-client';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { formatRealmKey } from '../../src/lib/membership/realm-key.ts';
import type { TokenContent } from '../../src/realm/content.ts';
import { Realm, createAuthority } from '../../src/realm/index.ts';
import { opensslVerifier, sealedBy, splitSealed } from '../../src/realm/signature.ts';
import { signToken } from '../../src/realm/token.ts';
import { percentile, printTable, writeJson } from './support/report.ts';

/** More than a node remembers, so that none is found again until it is meant to be. */
const TOKENS = 20_000;
const ROUNDS = 3;
const SEEN_TOKENS = 1000;
const SEEN_LOOKS = 300;
const ISSUED = 200;

const PEER = peerIdFromString('12D3KooWDCLqmRpH1fQeb4MSskdiVsN7j56V6RfrrLoebRDhBMYB');
const nowSeconds = Math.floor(Date.now() / 1000);

function content(): TokenContent {
  return { realm: 'home', id: randomBytes(8).toString('hex'), peer: PEER, maxPeers: undefined, notBeforeSeconds: nowSeconds, expiresSeconds: nowSeconds + 86_400, uses: ['reserve', 'connect', 'tunnel:ssh'], limits: { circuits: 8 } };
}

/** The median of some rounds, each the times a second of `work`, which is done `count` times a round. */
async function perSecond(count: number, work: (i: number) => unknown): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) await work(i);
    rates.push((1000 * count) / (performance.now() - start));
  }
  return Math.round(percentile(rates, 50));
}

/** As {@link perSecond}, of work that never waits: awaiting each would cost more than a token that was seen. */
function perSecondSync(count: number, work: (i: number) => void): number {
  const rates = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let i = 0; i < count; i++) work(i);
    return (1000 * count) / (performance.now() - start);
  });
  return Math.round(percentile(rates, 50));
}

async function verifying(dataDir: string, privateKey: KeyObject, publicKey: Uint8Array): Promise<Record<string, number>> {
  const tokens = Array.from({ length: TOKENS }, () => signToken(content(), privateKey));
  const config = { name: 'home', members: [], authority: formatRealmKey(publicKey), tokenFile: undefined, revocationFile: join(dataDir, 'revocations') };
  const realm = new Realm({ config, dataDir, clock: systemClock, log: silentLogger, registry: new Registry() });
  await realm.start();
  const verify = (i: number): void => {
    const token = tokens[i];
    if (token === undefined || !realm.verify(token, PEER, 'reserve').ok) throw new Error('a good token was refused');
  };
  const sealed = tokens.map((token) => splitSealed(token) ?? { payload: token, signature: token });
  const [isSealed, openssl] = [sealedBy(publicKey), opensslVerifier(publicKey)];
  const figures = {
    'verified/s, new': perSecondSync(TOKENS, verify),
    'verified/s, seen': perSecondSync(SEEN_TOKENS * SEEN_LOOKS, (i) => verify(i % SEEN_TOKENS)),
    'signatures/s, as used': perSecondSync(TOKENS, (i) => isSealed('token', sealed[i] ?? { payload: publicKey, signature: publicKey })),
    'signatures/s, OpenSSL': perSecondSync(TOKENS, (i) => openssl(sealed[i]?.payload ?? publicKey, sealed[i]?.signature ?? publicKey)),
  };
  await realm.stop();
  return figures;
}

async function issuing(dataDir: string, privateKey: KeyObject): Promise<Record<string, number>> {
  const authority = await createAuthority(dataDir, 'home');
  return {
    'signed/s': perSecondSync(TOKENS, () => signToken(content(), privateKey)),
    'issued/s, each written to disk': await perSecond(ISSUED, () => authority.issue({ peer: PEER.toString(), expiresMs: 86_400_000, uses: ['reserve', 'connect'] })),
  };
}

const dataDir = mkdtempSync(join(tmpdir(), 'relayd-bench-'));
try {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
  const figures = { ...(await verifying(dataDir, privateKey, raw)), ...(await issuing(dataDir, privateKey)) };
  printTable(figures);
  writeJson('realm-tokens', figures);
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
