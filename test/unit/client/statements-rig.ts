import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import type { Candidate } from '../../../src/client/candidate.ts';
import { Candidates } from '../../../src/client/candidates.ts';
import type { ClientContext } from '../../../src/client/context.ts';
import { clientMetrics } from '../../../src/client/metrics.ts';
import { Statements } from '../../../src/client/statements.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { DirectoryEndpoint, StatementListener } from '../../../src/lib/directory/endpoint.ts';
import { DIRECTORY_PROTOCOL } from '../../../src/lib/directory/protocol.ts';
import { sealStatement } from '../../../src/lib/directory/statement.ts';
import type { RelayStatement } from '../../../src/lib/directory/statement.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { newPeer, statement } from './candidate-support.ts';
import { metric } from './support.ts';

export const DIRECT = { status: 'open', direct: true, limits: undefined };

/** The client's side of the protocol, with a relay that the test plays. */
export class Rig {
  readonly clock = new ManualClock();
  readonly registry = new Registry();
  readonly key: PrivateKey;
  readonly relay: Candidate;
  readonly connection: Connection;
  readonly candidates: Candidates;
  readonly statements: Statements;
  readonly seen: string[] = [];
  protocols = [DIRECTORY_PROTOCOL];
  token: Uint8Array | undefined;
  asked = 0;
  /** What the relay answers a request with. */
  answer: () => Promise<Uint8Array> = () => this.seal();
  #push: StatementListener = () => {};

  static async make(): Promise<Rig> {
    return new Rig(await generateKeyPair('Ed25519'), new Candidates(await newPeer(), clientMetrics(new Registry())));
  }

  private constructor(key: PrivateKey, candidates: Candidates) {
    this.key = key;
    this.candidates = candidates;
    const peer = peerIdFromPrivateKey(key);
    this.relay = candidates.add(peer, [multiaddr('/ip4/192.0.2.1/tcp/1')], 'manual')!;
    this.connection = { ...DIRECT, remotePeer: peer } as Connection;
    this.statements = new Statements({
      context: this.#context(),
      directory: this.#directory(),
      onDraining: (_candidate, ready) => {
        this.seen.push('draining');
        ready();
      },
      onStaying: () => this.seen.push('staying'),
      onAlternatives: (_candidate, addrs) => this.seen.push(`names ${addrs.length}`),
    });
  }

  seal(changes: Partial<RelayStatement> = {}, key = this.key): Promise<Uint8Array> {
    return sealStatement(statement(changes), key);
  }

  /** Resolves when the relay is told that its push was taken. */
  push(bytes: Uint8Array, connection = this.connection): Promise<void> {
    return new Promise((resolve) => this.#push(connection, bytes, resolve));
  }

  async count(outcome: string): Promise<number | undefined> {
    return await metric(this.registry, `relayd_client_statements_total{outcome="${outcome}"}`);
  }

  #directory(): DirectoryEndpoint {
    const fetch = async (): Promise<Uint8Array> => {
      this.asked += 1;
      return await this.answer();
    };
    return { receive: (listener: StatementListener) => (this.#push = listener), fetch } as unknown as DirectoryEndpoint;
  }

  #context(): ClientContext {
    const { clock, candidates } = this;
    const peerStore = { get: async () => ({ protocols: this.protocols }) };
    const rest = { random: () => 0.5, log: silentLogger, metrics: clientMetrics(this.registry), signal: () => new AbortController().signal, changed: () => {}, tokenFor: () => this.token };
    return { clock, candidates, components: { peerStore }, ...rest } as unknown as ClientContext;
  }
}
