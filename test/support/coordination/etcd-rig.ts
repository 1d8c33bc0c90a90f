import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import type { EtcdConfig } from '../../../src/config/domain.ts';
import type { Counters, Registry } from '../../../src/coordination/backend.ts';
import { makeSharedCounters } from '../../../src/coordination/shares/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { CutProxy } from '../stores/cut-proxy.ts';
import { EtcdCluster } from '../stores/etcd.ts';
import { etcdRegistry } from './etcd-relay.ts';
import { LinkNodes } from './link-nodes.ts';
import type { LinkNode } from './link-nodes.ts';
import { Beats } from './rig.ts';
import type { RelayOptions, Rig, RigRelay } from './rig.ts';
import { signedRecord } from './signed.ts';
import { View } from './view.ts';

/** One relay of a cluster on etcd: a bare node with links to the others, over which places are counted. */
class RigEtcdRelay implements RigRelay {
  readonly id: string;
  readonly epoch: number;
  readonly node: LinkNode;
  readonly heard: View;
  readonly registry: Registry;
  readonly counters: Counters;
  readonly #beats: Beats;

  constructor(node: LinkNode, epoch: number, etcd: EtcdConfig) {
    this.id = node.id;
    this.epoch = epoch;
    this.node = node;
    this.heard = new View(node.id, node.links);
    this.registry = etcdRegistry(etcd, node.id, epoch, this.heard);
    const { links, metrics } = node;
    this.counters = makeSharedCounters({ self: node.id, links, view: () => this.heard.now(), onViewChange: (listener) => this.heard.onChange(listener), clock: systemClock, log: silentLogger, registry: metrics });
    this.#beats = new Beats(this.registry, () => signedRecord(this, node.addr));
  }

  async start(): Promise<this> {
    await this.registry.start();
    await this.counters.start();
    await this.#beats.start();
    return this;
  }

  async stop(): Promise<void> {
    this.#beats.stop();
    await this.registry.leave();
    await this.#close();
    await this.node.stop();
  }

  async kill(): Promise<void> {
    this.#beats.stop();
    await this.node.kill();
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.counters.stop();
    await this.registry.stop();
  }
}

/** A real etcd; each relay reaches it over a proxy of its own, and the other relays over links. */
export async function etcdRig(): Promise<Rig> {
  const cluster = await EtcdCluster.start();
  const proxies = new Map<string, CutProxy>();
  const relays = new Set<RigEtcdRelay>();
  const keys = new Map<string, PrivateKey>();
  const nodes = new LinkNodes();
  const proxyOf = async (id: string): Promise<CutProxy> => {
    const proxy = proxies.get(id) ?? (await CutProxy.start(cluster.first.port));
    proxies.set(id, proxy);
    return proxy;
  };
  return {
    name: 'etcd',
    exact: false,
    relay: async ({ again, epoch }: RelayOptions = {}) => {
      const privateKey = keys.get(again?.id ?? '') ?? (await generateKeyPair('Ed25519'));
      const node = await nodes.start({ privateKey });
      keys.set(node.id, privateKey);
      const { port } = await proxyOf(node.id);
      const relay = new RigEtcdRelay(node, epoch ?? (again?.epoch ?? 0) + 1, cluster.config({ endpoints: [`http://127.0.0.1:${port}`] }));
      relays.add(relay);
      return relay.start();
    },
    cut: async (relay) => {
      const { network } = (relay as RigEtcdRelay).node;
      const proxy = await proxyOf(relay.id);
      network.cut();
      proxy.cut();
      return async () => {
        network.heal();
        proxy.heal();
      };
    },
    forget: async () => void cluster.ask('del', '--prefix', '/relayd/'),
    stop: async () => {
      await Promise.all([...relays].map((relay) => relay.kill()));
      await nodes.stopAll();
      await Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
      await cluster.stop();
    },
  };
}
