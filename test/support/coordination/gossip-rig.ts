import type { Counters } from '../../../src/coordination/backend.ts';
import { makeSharedCounters } from '../../../src/coordination/shares/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { GossipRelay } from './gossip-relay.ts';
import { LinkNodes } from './link-nodes.ts';
import type { RelayOptions, Rig, RigRelay } from './rig.ts';

/** One relay of a cluster on gossip: a node with links to the others, over which all goes. */
class RigGossipRelay implements RigRelay {
  readonly gossip: GossipRelay;
  readonly counters: Counters;

  constructor(gossip: GossipRelay) {
    this.gossip = gossip;
    const { id, heard, node } = gossip;
    this.counters = makeSharedCounters({ self: id, links: node.links, view: () => heard.now(), onViewChange: (listener) => heard.onChange(listener), clock: systemClock, log: silentLogger, registry: node.metrics });
  }

  get id(): string {
    return this.gossip.id;
  }

  get epoch(): number {
    return this.gossip.epoch;
  }

  get registry(): GossipRelay['registry'] {
    return this.gossip.registry;
  }

  get heard(): GossipRelay['heard'] {
    return this.gossip.heard;
  }

  async stop(): Promise<void> {
    await this.counters.stop();
    await this.gossip.stop();
  }

  async kill(): Promise<void> {
    await this.gossip.kill();
    await this.counters.stop();
  }
}

/** Relays in this process, each linked to each over loopback. */
export async function gossipRig(): Promise<Rig> {
  const nodes = new LinkNodes();
  const relays = new Set<RigGossipRelay>();
  return {
    name: 'gossip',
    exact: false,
    relay: async ({ again, epoch }: RelayOptions = {}) => {
      const configured = [...relays].map(({ gossip }) => gossip.node.addr);
      const before = again instanceof RigGossipRelay ? { privateKey: again.gossip.node.privateKey } : {};
      const gossip = await GossipRelay.start(nodes, { configured, epoch: epoch ?? (again?.epoch ?? 0) + 1, ...before });
      const relay = new RigGossipRelay(gossip);
      relays.add(relay);
      await relay.counters.start();
      return relay;
    },
    cut: async (relay) => {
      const { network } = (relay as RigGossipRelay).gossip.node;
      network.cut();
      return async () => network.heal();
    },
    stop: async () => {
      await Promise.all([...relays].map((relay) => relay.kill()));
      await nodes.stopAll();
    },
  };
}
