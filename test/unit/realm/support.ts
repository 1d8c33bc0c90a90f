import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { peerIdFromString } from '@libp2p/peer-id';
import { Registry } from 'prom-client';
import type { RealmConfig } from '../../../src/config/domain.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { formatRealmKey } from '../../../src/lib/membership/realm-key.ts';
import type { TokenContent } from '../../../src/realm/content.ts';
import { Realm } from '../../../src/realm/index.ts';

/** The wall clock of the tests, in seconds. */
export const NOW = 1_700_000_000;

export const ANNA = peerIdFromString('12D3KooWDCLqmRpH1fQeb4MSskdiVsN7j56V6RfrrLoebRDhBMYB');
export const BERT = peerIdFromString('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N');

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly raw: Uint8Array;
  readonly text: string;
}

export function makeKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
  return { privateKey, raw, text: formatRealmKey(raw) };
}

const endings = new WeakMap<TestContext, (() => Promise<void> | void)[]>();

/** As `t.after`, but the last that was asked for comes first: a folder goes when nobody writes to it any more. */
function atEnd(t: TestContext, work: () => Promise<void> | void): void {
  const mine = endings.get(t) ?? [];
  if (mine.length === 0) {
    endings.set(t, mine);
    t.after(async () => {
      for (const end of mine.toReversed()) await end();
    });
  }
  mine.push(work);
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'relayd-realm-'));
  atEnd(t, () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A token for Anna, good for an hour from {@link NOW} on. */
export function contentOf(changes: Partial<TokenContent> = {}): TokenContent {
  return { realm: 'home', id: '00112233aabbccdd', peer: ANNA, maxPeers: undefined, notBeforeSeconds: NOW, expiresSeconds: NOW + 3600, uses: ['reserve', 'connect'], limits: {}, ...changes };
}

export interface TestNode {
  readonly realm: Realm;
  readonly clock: ManualClock;
  readonly registry: Registry;
  /** What was logged at warning and above. */
  readonly warnings: string[];
}

export interface NodeOptions {
  readonly dataDir: string;
  readonly authority: string | undefined;
  readonly config?: Partial<RealmConfig>;
  readonly clock?: ManualClock;
  readonly inCluster?: boolean;
}

export function configOf({ dataDir, authority, config }: NodeOptions): RealmConfig {
  return { name: 'home', members: [], authority, tokenFile: undefined, revocationFile: join(dataDir, 'realm', 'revocations'), ...config };
}

/** The realm of a node that runs until the test ends. */
export async function startNode(t: TestContext, options: NodeOptions): Promise<TestNode> {
  const node = makeNode(options);
  await node.realm.start();
  atEnd(t, () => node.realm.stop());
  return node;
}

export function makeNode(options: NodeOptions): TestNode {
  const clock = options.clock ?? new ManualClock(NOW * 1000);
  const registry = new Registry();
  const warnings: string[] = [];
  const log = createLogger({ level: 'warn', format: 'json', destination: { write: (line: string) => void warnings.push(line) } });
  return { realm: new Realm({ config: configOf(options), dataDir: options.dataDir, clock, log, registry, inCluster: options.inCluster }), clock, registry, warnings };
}
