import { StrictSign, TopicValidatorResult, gossipsub } from '@libp2p/gossipsub';
import type { GossipSub, GossipSubComponents, GossipsubOpts, Message } from '@libp2p/gossipsub';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Links } from '../links.ts';
import type { ClusterSecret } from '../secret.ts';
import { MembersOnly } from './members-only.ts';
import type { GossipMetrics } from './metrics.ts';

/** What gossip needs of the libp2p node. */
export interface GossipHost {
  readonly components: Omit<GossipSubComponents, 'privateKey'>;
  /** Messages are signed with it. */
  readonly privateKey: PrivateKey;
}

/** A record, some hundred changes and a short list; what is longer is fetched. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** A message, its signature and what gossipsub says beside it. */
const MAX_FRAME_BYTES = 4 * MAX_MESSAGE_BYTES;

/** What waits for a relay that does not read: its stream is reset then, and it fetches what it missed. */
const MAX_UNSENT_BYTES = 1 << 20;

/** Messages that are being signed: 10 s of a busy relay's. */
const MAX_PUBLISHING = 64;

/** The last bytes of a signature name its message: they are random whatever kind of key made it. */
const MESSAGE_ID_BYTES = 12;

/** A message that was passed on is at its last relay within a second. */
const SEEN_TTL_MS = 30_000;

const MAX_PROTOBUF_ITEMS = 256;
const MAX_MESSAGE_IDS = 5_000;

/**
 * Each relay has a link to each, so that what a relay says goes to all of them directly (flood publishing). There is no mesh: with one of three, every message
 * came three times, and no sooner. Who has no link to a relay hears from the others, once a second, which messages there
 * are (lazy gossip), and fetches them. Members know the cluster's secret: there is nobody to be scored.
 */
const TUNING: Partial<GossipsubOpts> = {
  globalSignaturePolicy: StrictSign,
  fallbackToFloodsub: false,
  floodPublish: true,
  allowPublishToZeroTopicPeers: true,
  tagMeshPeers: false,
  doPX: false,
  D: 0,
  Dlo: 0,
  Dhi: 0,
  Dscore: 0,
  Dout: 0,
  Dlazy: 2,
  gossipFactor: 0.05,
  mcacheLength: 4,
  mcacheGossip: 2,
  seenTTL: SEEN_TTL_MS,
  scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
  maxInboundDataLength: MAX_FRAME_BYTES,
  maxOutboundBufferSize: MAX_UNSENT_BYTES,
  decodeRpcLimits: {
    maxSubscriptions: MAX_PROTOBUF_ITEMS,
    maxMessages: MAX_PROTOBUF_ITEMS,
    maxIhaveMessageIDs: MAX_MESSAGE_IDS,
    maxIwantMessageIDs: MAX_MESSAGE_IDS,
    maxIdontwantMessageIDs: MAX_MESSAGE_IDS,
    maxControlMessages: MAX_PROTOBUF_ITEMS,
    maxPeerInfos: 0,
  },
  msgIdFn: (message) => (message.type === 'signed' ? message.signature : message.data).slice(-MESSAGE_ID_BYTES),
  // What was seen before is dropped before its signature is checked.
  fastMsgIdFn: ({ signature }) => Buffer.from((signature ?? new Uint8Array()).slice(-MESSAGE_ID_BYTES)).toString('latin1'),
};

export interface DisseminationOptions {
  readonly host: GossipHost;
  readonly cluster: string;
  readonly links: Links;
  readonly secret: ClusterSecret;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: GossipMetrics;
  /** `from` signed it. @throws RelaydError MALFORMED_MESSAGE: it is not passed on then */
  readonly onMessage: (from: string, message: Uint8Array) => void;
}

/** Carries messages from each relay to all, through others where there is no direct way. Some may be lost. */
export class Dissemination {
  readonly #o: DisseminationOptions;
  readonly #topic: string;
  readonly #members: MembersOnly;
  #gossip: GossipSub | undefined;
  #publishing = 0;

  constructor(options: DisseminationOptions) {
    this.#o = options;
    this.#topic = `/relayd/${options.cluster}`;
    const { components } = options.host;
    this.#members = new MembersOnly({ ...components, registrar: components.registrar, connectionManager: components.connectionManager, links: options.links, clock: options.clock, onForeign: () => options.metrics.refused('foreign') });
  }

  async start(): Promise<void> {
    const { components, privateKey } = this.#o.host;
    const { peerId, peerStore, connectionManager, logger } = components;
    // Gossipsub uses four of the registrar's methods.
    const registrar = this.#members.registrar() as GossipSubComponents['registrar'];
    const gossip = gossipsub({ ...TUNING, allowedTopics: [this.#topic] })({ peerId, peerStore, connectionManager, logger, privateKey, registrar });
    gossip.topicValidators.set(this.#topic, (source, message) => this.#take(source, message));
    await startPart(gossip);
    gossip.subscribe(this.#topic);
    this.#gossip = gossip;
  }

  async stop(): Promise<void> {
    const gossip = this.#gossip;
    this.#gossip = undefined;
    if (gossip !== undefined) await stopPart(gossip);
  }

  /** Streams that were lost are opened again. To be called now and then. */
  mend(): void {
    this.#members.mend();
  }

  publish(message: Uint8Array): void {
    const { metrics, secret } = this.#o;
    const sealed = secret.seal('gossip', message);
    if (this.#gossip === undefined || sealed.byteLength > MAX_MESSAGE_BYTES || this.#publishing >= MAX_PUBLISHING) {
      metrics.refused('full');
      return;
    }
    metrics.message('out', sealed.byteLength);
    void this.#publish(this.#gossip, sealed);
  }

  async #publish(gossip: GossipSub, sealed: Uint8Array): Promise<void> {
    this.#publishing++;
    try {
      await gossip.publish(this.#topic, sealed);
    } catch (error) {
      this.#o.log.debug({ error: errorMessage(error) }, 'a message could not be gossiped');
    } finally {
      this.#publishing--;
    }
  }

  /** Runs once a message, before it is passed on. */
  #take(source: PeerId, message: Message): TopicValidatorResult {
    const { links, metrics, secret } = this.#o;
    if (message.type !== 'signed' || !links.isMember(source)) {
      metrics.refused('foreign');
      return TopicValidatorResult.Ignore;
    }
    try {
      if (message.data.byteLength > MAX_MESSAGE_BYTES) throw new RelaydError('BODY_TOO_LARGE', `it has more than ${MAX_MESSAGE_BYTES} bytes`);
      metrics.message('in', message.data.byteLength);
      this.#o.onMessage(message.from.toString(), secret.open('gossip', message.data));
      return TopicValidatorResult.Accept;
    } catch (error) {
      return this.#refuse(source, error);
    }
  }

  #refuse(source: PeerId, error: unknown): TopicValidatorResult {
    const isUnsealed = error instanceof RelaydError && error.cause !== undefined;
    const isTooLarge = error instanceof RelaydError && error.code === 'BODY_TOO_LARGE';
    this.#o.metrics.refused(isTooLarge ? 'full' : isUnsealed ? 'secret' : 'malformed');
    this.#o.log.debug({ relay: source.toString(), error: peerText(errorMessage(error)) }, 'a message of gossip is refused');
    return TopicValidatorResult.Reject;
  }
}

/** libp2p starts and stops its services; this one is not among them. */
async function startPart(part: unknown): Promise<void> {
  await (part as { start(): Promise<void> }).start();
}

async function stopPart(part: unknown): Promise<void> {
  await (part as { stop(): Promise<void> }).stop();
}
