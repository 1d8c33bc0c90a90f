import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { sealRecord } from '../../../src/coordination/record.ts';
import type { RelayFacts, RelayRecord } from '../../../src/coordination/record.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

export const SECRET = new ClusterSecret(['5b'.repeat(32)], 'test', silentLogger);

/** A relay that can sign for itself. */
export interface ARelay {
  readonly key: PrivateKey;
  readonly id: PeerId;
  readonly name: string;
  facts(set?: Partial<RelayFacts>): RelayFacts;
  seal(set?: Partial<RelayRecord>, secret?: ClusterSecret): Promise<Uint8Array>;
}

export async function aRelay(): Promise<ARelay> {
  const key = await generateKeyPair('Ed25519');
  const id = peerIdFromPrivateKey(key);
  const name = id.toString();
  const facts = (set: Partial<RelayFacts> = {}): RelayFacts => ({
    state: 'ready',
    addrs: [`/ip4/192.0.2.1/tcp/4001/p2p/${name}`],
    linkAddrs: [`/ip4/10.0.0.1/tcp/4001/p2p/${name}`],
    region: 'eu-west',
    version: '1.2.3',
    classes: {
      public: { reservations: { count: 3, max: 128 }, circuits: { count: 2, max: Infinity } },
      member: { reservations: { count: 0, max: 0 }, circuits: { count: 0, max: 0 } },
    },
    bytesRelayed: 1_000,
    load: 0.25,
    digest: '0123456789abcdef',
    secrets: ['0a1b2c3d'],
    ...set,
  });
  return { key, id, name, facts, seal: (set = {}, secret = SECRET) => sealRecord({ ...facts(), epoch: 7, sequence: 1, ...set }, key, secret) };
}
