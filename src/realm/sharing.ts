import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import { Counter } from 'prom-client';
import { isRelayed } from '../lib/addresses.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { parseRealmKey } from '../lib/membership/realm-key.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import type { Realm } from './realm.ts';
import { Rounds } from './sharing-rounds.ts';
import { REVOCATIONS_PROTOCOL } from './sharing-protocol.ts';
import type { SharingMessage } from './sharing-protocol.ts';
import { SharingStreams } from './sharing-streams.ts';
import type { StreamHost } from './sharing-streams.ts';

/** What sharing needs of the libp2p node. */
export interface SharingHost extends StreamHost {
  readonly peerStore: { get(peer: PeerId): Promise<{ protocols: string[] }> };
  getConnections(): Connection[];
  addEventListener(type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void;
  removeEventListener(type: 'peer:identify', listener: (event: CustomEvent<IdentifyResult>) => void): void;
}

export interface SharingOptions {
  host: SharingHost;
  realm: Pick<Realm, 'revocationList' | 'revocationSequence' | 'offerRevocationList' | 'onChange'>;
  /** realm.authority */
  authority: string | undefined;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** News comes by itself; this is for what was lost on the way. */
const ASK_AGAIN_MS = 5 * 60_000;

/** Lists that are fetched at the same time: so many are in memory. */
const MAX_ASKING = 16;

/** Of those, from peers that came by themselves: any number of them may say that they have something and then say nothing, which must not keep
 * the relays that this node itself has dialled from being asked. */
const MAX_ASKING_GUESTS = MAX_ASKING / 2;

/** How often one peer's word that it has something newer makes us ask it. */
const ASKS = { count: 12, perMs: 60_000 };

/** What became of a list: given to a peer, taken over from one, offered by one and no good; or a peer could not be told or asked. */
const OUTCOMES = ['given', 'taken', 'refused', 'failed'] as const;

/**
 * Nodes of one realm pass the revocation list on: who connects asks, who has a newer one says so, and a list is taken over for its
 * signature, whoever brings it. That is how a node that nobody can log into learns what its relay has been told.
 */
export class RevocationSharing implements Part {
  readonly name = 'revocations';
  readonly #o: SharingOptions;
  readonly #streams: SharingStreams;
  readonly #rounds: Rounds<Connection>;
  readonly #outcomes: Counter<'outcome'>;
  readonly #asks: TokenBuckets;
  /** The sequence that each peer is known to have, of those that speak the protocol. */
  readonly #known = new WeakMap<Connection, number>();
  readonly #asking = new Set<Connection>();
  #authority: Uint8Array | undefined;
  #isOn = false;
  #running = false;
  #askTimer: TimerHandle | undefined;
  #unlisten: (() => void) | undefined;

  constructor(options: SharingOptions) {
    this.#o = options;
    const { host, clock, log, registry } = options;
    this.#streams = new SharingStreams({ host, clock, log, onMessage: (connection, message) => this.#answer(connection, message) });
    this.#rounds = new Rounds({ clock, behind: () => this.#behind(), tell: (connection) => this.#tell(connection) });
    this.#asks = new TokenBuckets(ASKS, clock);
    this.#outcomes = new Counter({ name: 'relayd_realm_revocation_lists_total', help: 'Revocation lists that were given, taken over or refused, and peers that could not be told or asked', labelNames: ['outcome'], registers: [registry] });
    OUTCOMES.forEach((outcome) => this.#outcomes.inc({ outcome }, 0));
    this.#authority = keyOf(options.authority);
  }

  async start(): Promise<void> {
    this.#running = true;
    this.#unlisten = this.#o.realm.onChange(() => this.#rounds.begin());
    this.#o.host.addEventListener('peer:identify', this.#onIdentify);
    await this.#switch();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#unlisten?.();
    this.#o.host.removeEventListener('peer:identify', this.#onIdentify);
    await this.#switch();
  }

  /** Takes a changed `realm.authority`. */
  async update(authority: string | undefined): Promise<void> {
    const next = keyOf(authority);
    // What peers were known to have are another authority's lists.
    if (!isSame(next, this.#authority)) this.#speakers().forEach((connection) => this.#known.set(connection, 0));
    this.#authority = next;
    await this.#switch();
    if (this.#isOn) await this.#askConnected();
  }

  /** A node without an authority has nothing to share, and does not offer the protocol. */
  async #switch(): Promise<void> {
    const wanted = this.#running && this.#authority !== undefined;
    if (wanted === this.#isOn) return;
    this.#isOn = wanted;
    this.#askTimer?.cancel();
    this.#rounds.stop();
    if (wanted) {
      this.#askLater();
      await this.#streams.start();
    } else {
      await this.#streams.stop();
    }
  }

  readonly #onIdentify = ({ detail: { connection, protocols } }: CustomEvent<IdentifyResult>): void => {
    if (this.#isOn && protocols.includes(REVOCATIONS_PROTOCOL)) void this.#ask(connection);
  };

  async #askConnected(): Promise<void> {
    for (const connection of this.#o.host.getConnections()) {
      const known = await this.#o.host.peerStore.get(connection.remotePeer).catch(() => undefined);
      if (known?.protocols.includes(REVOCATIONS_PROTOCOL) === true) void this.#ask(connection);
    }
  }

  #askLater(): void {
    this.#askTimer = this.#o.clock.setCoarseTimer(() => {
      this.#askLater();
      this.#speakers().forEach((connection) => void this.#ask(connection));
    }, ASK_AGAIN_MS);
  }

  #answer(connection: Connection, { authority, sequence, wants }: SharingMessage): SharingMessage | undefined {
    const own = this.#message(wants);
    if (own === undefined || !isSame(own.authority, authority)) {
      throw new RelaydError('NOT_FOUND', 'this node knows nothing of that authority');
    }
    this.#known.set(connection, sequence);
    if (sequence > own.sequence) void this.#ask(connection);
    if (!wants) return undefined;
    const list = own.sequence > sequence ? this.#o.realm.revocationList() : undefined;
    if (list !== undefined) this.#gives(connection, own.sequence, list);
    return { ...own, wants: false, ...(list === undefined ? {} : { list }) };
  }

  #gives(connection: Connection, sequence: number, list: Uint8Array): void {
    if (!this.#streams.mayGive(connection, list.byteLength)) {
      throw new RelaydError('CLOSED', 'a list is on its way to this peer, or to too many others');
    }
    this.#known.set(connection, sequence);
    this.#outcomes.inc({ outcome: 'given' });
  }

  async #ask(connection: Connection): Promise<void> {
    const question = this.#message(true);
    if (question === undefined || !isUsable(connection) || this.#asking.has(connection)) return;
    if (!this.#hasRoom(connection) || !this.#asks.tryTake(connection.remotePeer.toString())) {
      // It speaks the protocol: it is asked with the others the next time.
      if (!this.#known.has(connection)) this.#known.set(connection, 0);
      return;
    }
    this.#asking.add(connection);
    try {
      this.#take(connection, await this.#streams.ask(connection, question));
    } catch (error) {
      this.#failed(connection, error);
    } finally {
      this.#asking.delete(connection);
    }
  }

  #hasRoom({ direction }: Connection): boolean {
    const guests = [...this.#asking].filter((other) => other.direction === 'inbound').length;
    return this.#asking.size < MAX_ASKING && (direction === 'outbound' || guests < MAX_ASKING_GUESTS);
  }

  #take(connection: Connection, { sequence, list }: SharingMessage): void {
    this.#known.set(connection, sequence);
    const outcome = list === undefined ? 'known' : this.#o.realm.offerRevocationList(list);
    const peer = connection.remotePeer.toString();
    if (outcome === 'newer') {
      this.#outcomes.inc({ outcome: 'taken' });
      this.#o.log.info({ peer, sequence: this.#o.realm.revocationSequence }, 'a newer revocation list was taken over from a peer');
    } else if (outcome === 'refused') {
      this.#outcomes.inc({ outcome: 'refused' });
      this.#o.log.warn({ peer }, 'a peer gave a revocation list that the authority of this realm has not signed');
    }
  }

  async #tell(connection: Connection): Promise<void> {
    const news = this.#message(false);
    if (news === undefined || !isUsable(connection)) return;
    await this.#streams.tell(connection, news).catch((error: unknown) => this.#failed(connection, error));
  }

  #message(wants: boolean): SharingMessage | undefined {
    return this.#authority === undefined || !this.#isOn ? undefined : { authority: this.#authority, sequence: this.#o.realm.revocationSequence, wants };
  }

  #speakers(): Connection[] {
    return this.#o.host.getConnections().filter((connection) => this.#known.has(connection));
  }

  #behind(): Connection[] {
    return this.#speakers().filter((connection) => (this.#known.get(connection) ?? 0) < this.#o.realm.revocationSequence);
  }

  #failed(connection: Connection, error: unknown): void {
    this.#outcomes.inc({ outcome: 'failed' });
    this.#o.log.debug({ peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a peer could not be told of, or asked for, a revocation list');
  }
}

function isUsable(connection: Connection): boolean {
  return connection.status === 'open' && !isRelayed(connection);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function keyOf(authority: string | undefined): Uint8Array | undefined {
  return authority === undefined ? undefined : parseRealmKey(authority);
}
