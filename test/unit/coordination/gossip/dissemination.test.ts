import { gossipsub } from '@libp2p/gossipsub';
import type { GossipSub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LEASE_MS } from '../../../../src/coordination/backend.ts';
import { GOSSIP_PROTOCOL } from '../../../../src/coordination/gossip/members-only.ts';
import { GossipRelay } from '../../../support/coordination/gossip-relay.ts';
import { CLUSTER, LinkNodes, bareNode } from '../../../support/coordination/link-nodes.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';

const HOUR_MS = 3_600_000;
const TOPIC = `/relayd/${CLUSTER}`;

describe('gossip over the wire', { concurrency: 1 }, () => {
  const nodes = new LinkNodes();
  let [a, b, c]: GossipRelay[] = [];
  const relays = (): [GossipRelay, GossipRelay, GossipRelay] => [a, b, c] as [GossipRelay, GossipRelay, GossipRelay];

  before(async () => {
    a = await GossipRelay.start(nodes);
    b = await GossipRelay.start(nodes, { configured: [a.node.addr] });
    c = await GossipRelay.start(nodes, { configured: [a.node.addr, b.node.addr] });
    await until(() => relays().every(({ heard }) => heard.relays.size === 2), 'three relays know each other');
  });

  after(async () => {
    await Promise.all(relays().map((relay) => relay?.stop()));
    await nodes.stopAll();
  });

  const holders = (relay: GossipRelay, peer: string): Promise<string[]> => relay.registry.holders(peer, AbortSignal.timeout(PATIENCE_MS));
  const untilHeld = (relay: GossipRelay, peer: string, by: string[]): Promise<void> => until(async () => JSON.stringify(await holders(relay, peer)) === JSON.stringify(by), `${peer} is held`);
  const count = async ({ node }: GossipRelay, series: string): Promise<number> => Number((await node.metrics.metrics()).split('\n').find((line) => line.startsWith(series))?.split(' ').at(-1));

  it('carries what one relay says to all', async () => {
    const [first, second, third] = relays();
    const counted = await count(third, 'relayd_gossip_messages_total{direction="in"}');
    await first.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    await Promise.all([untilHeld(second, 'p', [first.id]), untilHeld(third, 'p', [first.id])]);
    await until(async () => (await count(third, 'relayd_gossip_messages_total{direction="in"}')) > counted, 'it came by gossip');
  });

  it('tells a stranger who speaks gossipsub nothing, and hears nothing from it', async () => {
    const stranger = await Stranger.start();
    try {
      const [first] = relays();
      await stranger.connect(first.node.addr);
      const protocols = await stranger.protocolsOf(first.id);
      assert.ok(protocols.includes(GOSSIP_PROTOCOL));
      assert.deepEqual(protocols.filter((protocol) => /meshsub|floodsub/.test(protocol)), [], 'gossipsub is not offered');
      await first.registry.publish([{ peer: 'secret', ttlMs: HOUR_MS }]);
      await stranger.publish(Buffer.from('spam'));
      await untilHeld(relays()[1], 'secret', [first.id]);
      assert.deepEqual(stranger.heard, []);
      assert.deepEqual(stranger.subscribers(), [], 'nor does it learn that anybody listens');
    } finally {
      await stranger.stop();
    }
  });

  it('resets a stranger who asks for the cluster\'s own protocol, and opens no stream to it', async () => {
    const stranger = await Stranger.start();
    try {
      const [first] = relays();
      const counted = await count(first, 'relayd_gossip_refused_total{reason="foreign"}');
      await stranger.handleOurs();
      await stranger.connect(first.node.addr);
      const isReset = await stranger.speaksOurs(first.id, TOPIC);
      assert.ok(isReset, 'the stream is reset');
      assert.equal(await count(first, 'relayd_gossip_refused_total{reason="foreign"}'), counted + 1);
      await first.registry.publish([{ peer: 'hidden', ttlMs: HOUR_MS }]);
      await untilHeld(relays()[1], 'hidden', [first.id]);
      assert.equal(stranger.opened, 0);
    } finally {
      await stranger.stop();
    }
  });

  it('goes on when the streams between two relays are reset', async () => {
    const [first] = relays();
    const streams = first.node.libp2p.getConnections().flatMap((connection) => connection.streams.filter(({ protocol }) => protocol === '/meshsub/1.2.0' || protocol === GOSSIP_PROTOCOL));
    assert.ok(streams.length > 0);
    streams.forEach((stream) => stream.abort(new Error('a test resets it')));
    const counted = await count(first, 'relayd_gossip_messages_total{direction="in"}');
    await until(async () => (await count(first, 'relayd_gossip_messages_total{direction="in"}')) > counted + 3, 'it hears the others again');
    assert.equal(first.heard.goneBecause.size, 0);
  });

  it('does without a relay that is frozen, and has it again when it is back', async () => {
    const [first, second, third] = relays();
    third.node.network.cut();
    await until(() => first.heard.goneBecause.get(third.id) === 'lapsed', 'its lease is over', LEASE_MS + PATIENCE_MS);
    await first.registry.publish([{ peer: 'meanwhile', ttlMs: HOUR_MS }]);
    await untilHeld(second, 'meanwhile', [first.id]);
    third.node.network.heal();
    await until(() => first.heard.relays.has(third.id), 'it is back', 3 * PATIENCE_MS);
    await untilHeld(third, 'meanwhile', [first.id]);
  });

  it('reaches a relay that has no link to the one that speaks', async () => {
    const [first, second] = relays();
    const far = await GossipRelay.start(nodes, { configured: [second.node.addr], isShy: true });
    try {
      await until(() => far.heard.relays.has(first.id), 'it has heard of the others');
      await first.registry.publish([{ peer: 'far', ttlMs: HOUR_MS }]);
      await untilHeld(far, 'far', [first.id]);
      assert.deepEqual([far.node.links.members(), far.heard.goneBecause.size], [[second.id], 0]);
    } finally {
      await far.stop();
    }
  });

  it('keeps clusters of other secrets and names apart', async () => {
    const [first] = relays();
    const other = await GossipRelay.start(nodes, { configured: [first.node.addr], secrets: ['11'.repeat(32)] });
    try {
      await first.registry.publish([{ peer: 'ours', ttlMs: HOUR_MS }]);
      await untilHeld(relays()[1], 'ours', [first.id]);
      assert.deepEqual([await holders(other, 'ours'), other.heard.relays.size], [[], 0]);
    } finally {
      await other.kill();
    }
  });
});

/** A peer of the public network that takes part in gossipsub, and would listen in. */
class Stranger {
  readonly heard: Uint8Array[] = [];
  opened = 0;
  readonly #libp2p: Libp2p;
  readonly #gossip: GossipSub;

  static async start(): Promise<Stranger> {
    const libp2p = await bareNode(undefined, { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) });
    return new Stranger(libp2p);
  }

  private constructor(libp2p: Libp2p) {
    this.#libp2p = libp2p;
    this.#gossip = libp2p.services['pubsub'] as GossipSub;
    this.#gossip.subscribe(TOPIC);
    this.#gossip.addEventListener('message', ({ detail }) => this.heard.push(detail.data));
  }

  async stop(): Promise<void> {
    await this.#libp2p.stop();
  }

  async connect(addr: string): Promise<void> {
    await this.#libp2p.dial(multiaddr(addr));
  }

  /** As the relay's identify says. */
  async protocolsOf(id: string): Promise<string[]> {
    let protocols: string[] = [];
    await until(async () => {
      protocols = (await this.#libp2p.peerStore.get(peerIdFromString(id))).protocols;
      return protocols.length > 0;
    }, 'the relay has said what it speaks');
    return protocols;
  }

  async publish(data: Uint8Array): Promise<void> {
    await this.#gossip.publish(TOPIC, data);
  }

  subscribers(): unknown[] {
    return this.#gossip.getSubscribers(TOPIC);
  }

  async handleOurs(): Promise<void> {
    await this.#libp2p.handle(GOSSIP_PROTOCOL, (stream) => {
      this.opened++;
      stream.abort(new Error('enough'));
    });
  }

  /** @returns whether the stream was reset */
  async speaksOurs(id: string, topic: string): Promise<boolean> {
    const stream = await this.#connection(id).newStream(GOSSIP_PROTOCOL);
    // A gossipsub frame that subscribes to the topic.
    const subscription = Buffer.concat([Buffer.from([0x08, 0x01, 0x12, topic.length]), Buffer.from(topic)]);
    const rpc = Buffer.concat([Buffer.from([0x0a, subscription.length]), subscription]);
    if (stream.status === 'open') stream.send(Buffer.concat([Buffer.from([rpc.length]), rpc]));
    await until(() => stream.status !== 'open', 'the stream ends');
    return stream.status === 'reset' || stream.status === 'aborted';
  }

  #connection(id: string): ReturnType<Libp2p['getConnections']>[number] {
    const connection = this.#libp2p.getConnections().find(({ remotePeer }) => remotePeer.toString() === id);
    assert.ok(connection !== undefined);
    return connection;
  }
}
