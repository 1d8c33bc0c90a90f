import assert from 'node:assert/strict';
import type { PeerId, PrivateKey, Stream } from '@libp2p/interface';
import { Registry } from 'prom-client';
import type { ClassLimits, RelayConfig } from '../../src/config/domain.ts';
import { writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { INTERNAL_LIMITS } from '../../src/relay/classes.ts';
import type { ClusterTerms } from '../../src/relay/global/terms.ts';
import { RelayService } from '../../src/relay/index.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeHost } from './fake-host.ts';
import type { FakeConnection } from './fake-host.ts';
import { FakeVerifier } from './fake-verifier.ts';
import { within } from './waiting.ts';

const ANYONE = { allow: [], deny: [] };
const LIMITS: ClassLimits = {
  ...INTERNAL_LIMITS,
  reservations: { max: 10, perPrefix: 10, perAsn: 10, ttlMs: 3_600_000 },
  circuits: { max: 10, perSource: 10, perTarget: 10, pending: 10, durationMs: 600_000, bytesPerDirection: 1 << 30, idleMs: Infinity },
};
const CONFIG: RelayConfig = { open: true, limits: LIMITS, memberLimits: LIMITS, prefixes: { ipv4: 32, ipv6: [56, 48], exempt: [] }, asnFile: undefined, maxEventLoopDelayMs: Infinity, region: undefined, alternatives: [], access: { reserve: ANYONE, connect: ANYONE, target: ANYONE } };

export interface RelayRigOptions {
  readonly terms: ClusterTerms;
  readonly config?: Partial<RelayConfig>;
  /** The node's own check peers. */
  readonly internal?: readonly PeerId[];
}

/** A relay service in a cluster that a test moves, on a host of which all is in memory. It has a realm whose tokens the fake verifier knows. */
export class RelayRig {
  readonly clock = new ManualClock();
  readonly cluster = new FakeCluster();
  readonly verifier = new FakeVerifier();
  readonly registry = new Registry();
  readonly host: FakeHost;
  readonly service: RelayService;
  readonly config: RelayConfig;
  readonly #key: PrivateKey;

  static async start(options: RelayRigOptions): Promise<RelayRig> {
    const relay = new RelayRig(await FakeHost.create(), options);
    await relay.service.start();
    return relay;
  }

  private constructor(host: FakeHost, { terms, config = {}, internal = [] }: RelayRigOptions) {
    this.host = host;
    this.#key = host.privateKey;
    this.config = { ...CONFIG, ...config };
    const { clock, cluster, verifier, registry } = this;
    this.service = new RelayService({ host, config: this.config, realm: REALM, verifier, internalPeers: new Set(internal.map(String)), eventLoopDelayMs: () => 0, addresses: { announced: false, allowPrivate: true }, directory: undefined, cluster, clusterLimits: terms, version: '0.0.0', clock, log: silentLogger, registry });
  }

  update(config: Partial<RelayConfig>, terms: ClusterTerms): void {
    this.service.update({ ...this.config, ...config }, REALM, terms);
  }

  /** Admission over the cluster stops; it goes on, or fails, as the result says. */
  holdAdmission(): { asked: Promise<void>; goOn: () => void; fail: (error: Error) => void } {
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.cluster.beforeVerdict = () => {
      asked.resolve();
      return gate.promise;
    };
    return { asked: within(asked.promise, 'the cluster to be asked'), goOn: () => gate.resolve(), fail: (error) => gate.reject(error) };
  }

  /** Signing waits, or fails, as `before` does. */
  beforeSigning(before: () => Promise<void>): void {
    const key = this.#key;
    const sign = async (data: Uint8Array): Promise<Uint8Array> => {
      await before();
      return key.sign(data);
    };
    Object.defineProperty(this.host, 'privateKey', { value: Object.create(key, { sign: { value: sign } }) as PrivateKey });
  }

  /** Sends a request on a stream of its own, without waiting for the answer. */
  async send(peer: FakeConnection, message: HopMessage): Promise<{ stream: Stream; inner: Stream; handled: Promise<void> }> {
    const hop = await peer.openHop();
    writeFrame(hop.stream, encodeHop(message));
    return hop;
  }

  async reserved(peer: FakeConnection, token?: Uint8Array): Promise<void> {
    const { status, refusal } = await peer.request({ type: 'RESERVE', ...(token === undefined ? {} : { token }) });
    assert.equal(status, Status.OK, refusal?.limit);
  }

  /** A circuit between two peers of which the second holds a reservation. */
  async circuit(from: FakeConnection, to: FakeConnection): Promise<{ near: Stream; far: Stream }> {
    const connecting = from.connectTo(to.remotePeer);
    const { stream: far } = await to.stopRequest();
    writeFrame(far, encodeStop({ type: 'STATUS', status: Status.OK }));
    const { status, stream: near, refusal } = await connecting;
    assert.equal(status, Status.OK, refusal?.limit);
    return { near, far };
  }

  async refusals(request: 'reserve' | 'connect', limit: string, limitClass = 'public'): Promise<number | undefined> {
    const values = (await this.registry.getSingleMetric('relayd_relay_refusals_total')?.get())?.values;
    return values?.find(({ labels }) => labels['request'] === request && labels['limit'] === limit && labels['class'] === limitClass)?.value;
  }

  /** What is held, here and over the cluster: `[reservations, circuits, reservations that all relays know of, places]`. */
  held(): [reservations: number, circuits: number, known: number, places: number] {
    const { reservations, circuits } = this.service.counts();
    return [reservations.count, circuits.count, this.cluster.known.size, this.cluster.places.size];
  }
}

const REALM = { name: 'home', members: [], authority: 'ed25519:the fake verifier needs no key' };
