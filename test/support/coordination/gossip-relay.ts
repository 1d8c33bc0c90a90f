import { identify } from '@libp2p/identify';
import type { PrivateKey } from '@libp2p/interface';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '../../../src/coordination/backend.ts';
import { makeGossipRegistry } from '../../../src/coordination/gossip/index.ts';
import type { GossipHost } from '../../../src/coordination/gossip/index.ts';
import type { RegistryOptions } from '../../../src/coordination/registry-options.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { CLUSTER, LinkNodes } from './link-nodes.ts';
import type { LinkNode, LinkNodeOptions } from './link-nodes.ts';
import { Beats } from './rig.ts';
import { proofsOf, signedRecord } from './signed.ts';
import { View } from './view.ts';

/** The windows of the tests' quotas are of this day, whenever they run. */
const BEGINNING = { wall: Date.UTC(2026, 10, 21), at: performance.now() };
const clock: Clock = { ...systemClock, wall: () => BEGINNING.wall + performance.now() - BEGINNING.at };

export interface GossipRelayOptions extends Pick<LinkNodeOptions, 'configured' | 'cluster' | 'secrets'> {
  readonly epoch?: number;
  /** Has links only to those that it is configured with: it tells an address where nobody answers. */
  readonly isShy?: boolean;
  /** What it says with its beats, after its epoch and address; a counter where nothing is given. */
  readonly says?: () => string;
  readonly privateKey?: PrivateKey;
}

/** A libp2p node on loopback, with links, gossip over them, and beats. */
export class GossipRelay {
  readonly id: string;
  readonly epoch: number;
  readonly node: LinkNode;
  readonly registry: Registry;
  readonly heard: View;
  readonly #beats: Beats;
  readonly #dataDir: string;

  static async start(nodes: LinkNodes, options: GossipRelayOptions = {}): Promise<GossipRelay> {
    let components: GossipHost['components'] | undefined;
    const grab = (given: GossipHost['components']): object => {
      components = given;
      return {};
    };
    const node = await nodes.start({ ...options, services: { identify: identify(), grab } });
    if (components === undefined) throw new Error('libp2p did not make its services');
    const relay = new GossipRelay(node, { components, privateKey: node.privateKey }, options, await mkdtemp(join(tmpdir(), 'relayd-gossip-')));
    await relay.registry.start();
    await relay.#beats.start();
    return relay;
  }

  private constructor(node: LinkNode, host: GossipHost, { epoch, cluster, says, isShy }: GossipRelayOptions, dataDir: string) {
    this.id = node.id;
    this.epoch = epoch ?? 1;
    this.node = node;
    this.heard = new View(node.id, isShy === true ? { want: () => {} } : node.links);
    this.#dataDir = dataDir;
    const config = { cluster: cluster ?? CLUSTER } as RegistryOptions['config'];
    const { links, metrics, secret } = node;
    this.registry = makeGossipRegistry({ self: this.id, epoch: this.epoch, config, dataDir, secret, links, listener: this.heard, proofs: proofsOf(this), clock, log: silentLogger, metrics, host });
    const addr = isShy === true ? `/ip4/127.0.0.1/tcp/1/p2p/${this.id}` : node.addr;
    let sequence = 0;
    this.#beats = new Beats(this.registry, () => signedRecord(this, `${addr} ${says?.() ?? sequence++}`));
  }

  async stop(): Promise<void> {
    this.#beats.stop();
    await this.registry.leave();
    await this.#end();
    await this.node.stop();
  }

  async kill(): Promise<void> {
    this.#beats.stop();
    await this.node.kill();
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.registry.stop();
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}
