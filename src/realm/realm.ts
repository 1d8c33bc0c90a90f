import type { PeerId } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import type { RealmConfig } from '../config/domain.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { SharedClaims } from '../lib/membership/bearer-claims.ts';
import { parseRealmKey } from '../lib/membership/realm-key.ts';
import type { Grant, MembershipEnd, TokenUse, TokenVerdict, TokenVerifier } from '../lib/membership/verifier.ts';
import { Bearers } from './bearers.ts';
import { realmFolder } from './folder.ts';
import type { RealmFolder } from './folder.ts';
import { KeptFile } from './kept-file.ts';
import { Members } from './members.ts';
import { RealmMetrics } from './metrics.ts';
import { ownTokenProblem, readOwnToken } from './own-token.ts';
import type { Offered } from './revocations.ts';
import type { TokenFacts } from './token.ts';

/** A revocation is to cut within two seconds; a stat costs some microseconds. */
const LOOK_EVERY_MS = 1000;

export interface RealmOptions {
  readonly config: RealmConfig;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  /** Who uses a bearer token is counted together with other relays. */
  readonly inCluster?: boolean;
}

/** What a running node knows of its realm: whose tokens count, what was revoked, and its own token. */
export class Realm implements Part, TokenVerifier {
  readonly name = 'realm';
  readonly #o: RealmOptions;
  readonly #folder: RealmFolder;
  readonly #metrics: RealmMetrics;
  readonly #bearers: Bearers;
  readonly #seen: KeptFile;
  readonly #listeners = new Set<() => void>();
  #config: RealmConfig;
  #members: Members | undefined;
  #token: TokenFacts | undefined;
  #timer: TimerHandle | undefined;
  #isRunning = false;

  constructor(options: RealmOptions) {
    const { config, dataDir, clock, log, registry, inCluster = false } = options;
    this.#o = options;
    this.#config = config;
    this.#folder = realmFolder(dataDir);
    this.#metrics = new RealmMetrics(registry, { count: () => this.revocationCount, sequence: () => this.revocationSequence });
    this.#bearers = new Bearers({ folder: this.#folder, clock, log, inCluster, onDisplaced: () => this.#changed(), onOutcome: this.#metrics.claims });
    this.#seen = new KeptFile({
      folder: this.#folder,
      path: this.#folder.seenFile,
      log,
      content: () => this.revocationList(),
      otherwise: 'after a restart, this node may take an older revocation list',
    });
  }

  /** @throws RelaydError FILE_UNREADABLE */
  async start(): Promise<void> {
    await this.#bearers.load();
    this.#token = this.#config.tokenFile === undefined ? undefined : this.#ownToken(this.#config.tokenFile);
    this.#members = this.#makeMembers();
    this.#isRunning = true;
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    await Promise.all([this.#bearers.stop(), this.#seen.stop()]);
  }

  /** Takes what of a changed configuration can be: the authority and this node's own token. Never throws: a bad token file leaves the old token. */
  update(config: RealmConfig): void {
    const isOther = config.authority !== this.#config.authority;
    this.#config = config;
    this.#updateToken();
    if (!isOther) return;
    this.#members = this.#makeMembers();
    this.#changed();
  }

  /** Looks at the revocation file now. */
  async reload(): Promise<void> {
    await this.#members?.revocations.look();
  }

  /** This node's own token. */
  get token(): TokenFacts | undefined {
    return this.#token;
  }

  /** The signed list in force. */
  revocationList(): Uint8Array | undefined {
    return this.#members?.revocations.bytes;
  }

  /** 0: no list is in force. */
  get revocationSequence(): number {
    return this.#members?.revocations.sequence ?? 0;
  }

  /** Tokens and peers on the list in force. */
  get revocationCount(): number {
    return this.#members?.revocations.count ?? 0;
  }

  /** Takes a list that another node gave, if it is newer and rightly signed. */
  offerRevocationList(bytes: Uint8Array): Offered {
    return this.#members?.revocations.offer(bytes) ?? 'refused';
  }

  /** Who has used which bearer token, for the other relays of a cluster. */
  get claims(): SharedClaims {
    return this.#bearers;
  }

  verify(token: Uint8Array, peer: PeerId, use: TokenUse): TokenVerdict {
    const verdict = this.#members?.verify(token, peer, use) ?? { ok: false, problem: 'token wrong realm' };
    this.#metrics.looked(verdict.ok ? 'ok' : verdict.problem);
    return verdict;
  }

  isRevokedPeer(peer: PeerId): boolean {
    return this.#members?.revocations.hasPeer(peer.toString()) ?? false;
  }

  /** One that is over where no authority is known. */
  grantElsewhere(tokenId: string, peer: string): Grant {
    return this.#members?.grantElsewhere(tokenId, peer) ?? { tokenId, peer, expiresAtWall: 0, limits: {}, claim: () => {} };
  }

  endOf(grant: Grant): MembershipEnd | undefined {
    return this.#members === undefined ? 'revoked' : this.#members.endOf(grant);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #makeMembers(): Members | undefined {
    const { authority, name: realm, revocationFile: file } = this.#config;
    const { clock, log } = this.#o;
    const key = authority === undefined ? undefined : parseRealmKey(authority);
    if (key === undefined) return undefined;
    const onNewer = (): void => {
      this.#seen.changed();
      this.#changed();
    };
    return new Members({ key, realm, file, folder: this.#folder, clock, log, bearers: this.#bearers, onNewer, onTooLate: () => this.#changed() });
  }

  #lookLater(): void {
    if (!this.#isRunning) return;
    // A look that was under way when the node was stopped and started again comes here too.
    this.#timer?.cancel();
    this.#timer = this.#o.clock.setTimer(() => void this.reload().finally(() => this.#lookLater()), LOOK_EVERY_MS);
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#o.log.error({ error: errorMessage(error) }, 'a change of the realm was not followed');
      }
    }
  }

  #updateToken(): void {
    const { tokenFile } = this.#config;
    try {
      this.#token = tokenFile === undefined ? undefined : this.#ownToken(tokenFile);
    } catch (error) {
      this.#o.log.warn({ error: errorMessage(error) }, "this node's membership token could not be read again: the one that it had stays");
    }
  }

  /** @throws RelaydError FILE_UNREADABLE */
  #ownToken(file: string): TokenFacts {
    const token = readOwnToken(file);
    const problem = ownTokenProblem(token, this.#config, this.#o.clock.wall());
    if (problem !== undefined) this.#o.log.warn({ tokenId: token.id, file, problem }, "nobody will take this node's membership token");
    return token;
  }
}
