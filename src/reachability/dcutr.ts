import type { Connection, IdentifyResult, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import { isCircuit } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import type { HolePuncher, Upgrade } from '../lib/contracts.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import { DCUTR_PROTOCOL, answerExchange } from './dcutr-exchange.ts';
import { UpgradeFailure } from './dcutr-failure.ts';
import type { DcutrHost } from './dcutr-host.ts';
import { Initiator } from './dcutr-initiator.ts';
import { DcutrMetrics } from './dcutr-metrics.ts';
import { Observations } from './dcutr-observations.ts';
import { EXCHANGE_MS, punch } from './dcutr-punch.ts';
import type { PunchOptions } from './dcutr-punch.ts';
import { RelaySightings } from './dcutr-sightings.ts';
import { Upgrades } from './dcutr-upgrades.ts';

export interface HolePunchingOptions {
  host: DcutrHost;
  punchers: readonly HolePuncher[];
  /** Which of our addresses others may be told. */
  mayTell: (addr: Multiaddr) => boolean;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** A peer makes this node dial what it names: this often. */
const UPGRADES_PER_PEER = { count: 4, perMs: 60_000 };
const ANSWERS_PER_PEER = { count: 12, perMs: 60_000 };

/** A relay could bring circuits without end; each would keep dials going for 15 s. */
const MAX_UPGRADES = 32;

/** A replaced circuit is closed after two looks at which nothing used it. */
const IDLE_LOOK_MS = 5_000;
const IDLE_LOOKS = 2;

/**
 * Replaces circuits by direct connections (DCUtR): the target of a circuit begins, three attempts at most; the caller answers. The circuit stays as
 * it is until a direct connection stands, and is closed once it is idle.
 */
export class HolePunching implements Part {
  readonly name = 'hole punching';
  readonly #o: PunchOptions;
  readonly #initiator: Initiator;
  readonly #sightings: RelaySightings;
  readonly #upgrades = new Upgrades();
  readonly #started: TokenBuckets;
  readonly #answered: TokenBuckets;
  /** Peers with which an upgrade is under way. */
  readonly #busy = new Set<string>();
  #shutdown = new AbortController();

  constructor({ registry, ...options }: HolePunchingOptions) {
    const { clock, punchers } = options;
    this.#o = { ...options, observations: new Observations(), metrics: new DcutrMetrics(registry) };
    this.#sightings = new RelaySightings({ ...this.#o, transports: punchers.map(({ transport }) => transport) });
    this.#initiator = new Initiator({ ...this.#o, sightings: this.#sightings, isDirect: (connection) => this.#isDirect(connection) });
    this.#started = new TokenBuckets(UPGRADES_PER_PEER, clock);
    this.#answered = new TokenBuckets(ANSWERS_PER_PEER, clock);
  }

  async start(): Promise<void> {
    this.#shutdown = new AbortController();
    const { events, registrar } = this.#o.host;
    events.addEventListener('peer:identify', this.#onIdentify);
    events.addEventListener('connection:open', this.#onOpen);
    events.addEventListener('connection:close', this.#onClose);
    await registrar.handle(DCUTR_PROTOCOL, this.#onStream, { maxInboundStreams: 1, maxOutboundStreams: 1, runOnLimitedConnection: true });
  }

  async stop(): Promise<void> {
    this.#shutdown.abort(new RelaydError('CLOSED', 'the node is stopping'));
    const { events, registrar } = this.#o.host;
    events.removeEventListener('peer:identify', this.#onIdentify);
    events.removeEventListener('connection:open', this.#onOpen);
    events.removeEventListener('connection:close', this.#onClose);
    this.#o.observations.clear();
    this.#sightings.stop();
    await registrar.unhandle(DCUTR_PROTOCOL);
  }

  /** What became of the attempt to replace `connection`; of a direct one, whether it took a circuit's place. */
  upgradeOf(connection: Connection): Upgrade {
    const circuit = isCircuit(connection.remoteAddr) ? connection : this.#relayed(connection)[0];
    return circuit === undefined ? { state: 'none' } : this.#upgrades.of(circuit);
  }

  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => this.#o.observations.identified(event);
  readonly #onClose = (event: CustomEvent<Connection>): void => this.#o.observations.closed(event);

  readonly #onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (!isCircuit(connection.remoteAddr)) {
      this.#relayed(connection).forEach((replaced) => this.#replaced(replaced));
    } else if (connection.direction === 'inbound') {
      void this.#upgrade(connection);
    } else {
      // By the time that the other side begins, we know where we are seen.
      void this.#sightings.complete(connection, this.#shutdown.signal);
    }
  };

  async #upgrade(connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString();
    if (this.#isDirect(connection)) {
      this.#replaced(connection);
      return;
    }
    if (this.#busy.size >= MAX_UPGRADES || this.#busy.has(peer) || !this.#started.tryTake(peer)) {
      this.#fail(connection, new UpgradeFailure('refused', 'it has been tried too often'));
      return;
    }
    this.#busy.add(peer);
    this.#upgrades.trying(connection);
    try {
      await this.#initiator.run(connection, this.#shutdown.signal);
    } catch (error) {
      this.#fail(connection, error);
    } finally {
      this.#busy.delete(peer);
    }
  }

  readonly #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    const peer = connection.remotePeer.toString();
    // The caller answers, the target begins (specification: "B" is the inbound peer).
    if (!isCircuit(connection.remoteAddr) || connection.direction !== 'outbound' || !this.#answered.tryTake(peer)) {
      stream.abort(new Error('not asked for'));
      return;
    }
    this.#upgrades.trying(connection);
    this.#o.metrics.attempt('responder');
    try {
      await punch(this.#o, 'client', connection, this.#shutdown.signal, (ours) => this.#answer(stream, ours));
    } catch (error) {
      stream.abort(toError(error));
      this.#upgrades.failed(connection, peerText(errorMessage(error)));
    }
  };

  async #answer(stream: Stream, ours: readonly Multiaddr[]): Promise<readonly Multiaddr[]> {
    const { clock } = this.#o;
    const theirs = await withDeadline(EXCHANGE_MS, clock, [this.#shutdown.signal], (signal) => answerExchange(stream, ours, signal));
    closeStream(stream, clock, { discard: true });
    return theirs;
  }

  #fail(connection: Connection, error: unknown): void {
    if (this.#isDirect(connection) || this.#shutdown.signal.aborted) {
      return;
    }
    const outcome = error instanceof UpgradeFailure ? error.outcome : 'failed';
    const reason = peerText(errorMessage(error));
    this.#o.metrics.failed(outcome);
    this.#upgrades.failed(connection, reason);
    this.#o.log.debug({ peer: connection.remotePeer.toString(), outcome, reason }, 'a circuit stays: no direct connection');
  }

  /** A direct connection stands beside the circuit, which goes when nothing uses it. */
  #replaced(connection: Connection): void {
    if (this.#upgrades.of(connection).state !== 'direct') {
      this.#upgrades.direct(connection);
      void this.#closeWhenIdle(connection);
    }
  }

  async #closeWhenIdle(connection: Connection): Promise<void> {
    const { signal } = this.#shutdown;
    let idleLooks = 0;
    while (connection.status === 'open' && this.#isDirect(connection) && !signal.aborted) {
      if (idleLooks === IDLE_LOOKS) {
        await connection.close().catch((error: unknown) => connection.abort(toError(error)));
        return;
      }
      await sleep(IDLE_LOOK_MS, this.#o.clock, signal);
      idleLooks = connection.streams.length === 0 ? idleLooks + 1 : 0;
    }
  }

  #isDirect({ remotePeer }: Connection): boolean {
    return this.#o.host.connectionManager.getConnections(remotePeer).some((other) => other.status === 'open' && !isCircuit(other.remoteAddr));
  }

  #relayed({ remotePeer }: Connection): Connection[] {
    return this.#o.host.connectionManager.getConnections(remotePeer).filter((other) => isCircuit(other.remoteAddr));
  }
}
