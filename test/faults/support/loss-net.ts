import { fileURLToPath } from 'node:url';
import { LineProcess } from '../../bench/support/line-process.ts';
import { Lab } from '../../support/netns/lab.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import type { Clients } from './clients.ts';
import type { Relay } from './relay.ts';
import type { Scene } from './scene.ts';

/** Three relays, clients that hold two of them, and a standard peer that all clients are connected to. */
export interface LossNet {
  readonly clients: Clients;
  readonly watcher: LineProcess;
  readonly relays: readonly Relay[];
  /** Loses a relay. @returns brings it back */
  lose(peerId: string, way: Way): Promise<() => Promise<void>>;
}

/** How a relay is lost: a crash, a process that stands still, packets that go nowhere, an operator's restart. */
export type Way = 'kill' | 'freeze' | 'cut' | 'restart';

const RELAYS = 3;
const WATCHER = fileURLToPath(new URL('../programs/watcher.ts', import.meta.url));

/** All clients come from one address, over and over: what the limits of a prefix and of a peer do is not this suite's question. */
export const ROOMY = {
  relay: {
    prefixes: { exempt: ['127.0.0.0/8', '45.0.0.0/8'] },
    limits: { rates: { reservePerPeer: '600/m', connectPerPeer: '600/m' } },
  },
};

/** Where relays and clients run: on loopback, or each relay behind a cable of its own that can be cut. */
interface Place {
  relay(i: number): { host?: string; prefix?: string[] };
  clients: string[];
  cut(i: number): () => void;
}

/** @param withCables each relay is behind a cable of its own: needed to cut one off; needs root */
export async function lossNet(scene: Scene, withCables: boolean): Promise<LossNet> {
  const place = withCables ? cables(scene) : loopback();
  const relays = await Promise.all(Array.from({ length: RELAYS }, (_, i) => scene.relay({ name: `relay-${i}`, config: { ...ROOMY, network: { allowPrivate: true } }, ...place.relay(i) })));
  const clients = await scene.clients({ count: scene.amount.clients, prefix: place.clients, config: { client: { relays: relays.map(({ addr }) => addr), desired: 2 } } });
  const watcher = await startWatcher(scene, place.clients);
  await clients.watch((await watcher.ready()).addrs?.[0] ?? '');
  const lose = async (peerId: string, way: Way): Promise<() => Promise<void>> => {
    const i = relays.findIndex((relay) => relay.peerId === peerId);
    const relay = relays[i];
    if (relay === undefined) throw new Error(`no relay is ${peerId}`);
    return WAYS[way](relay, () => place.cut(i));
  };
  return { clients, watcher, relays, lose };
}

const WAYS: Record<Way, (relay: Relay, cut: () => () => void) => Promise<() => Promise<void>>> = {
  kill: async (relay) => {
    await relay.kill();
    return () => relay.start();
  },
  freeze: async (relay) => {
    relay.signal('SIGSTOP');
    return async () => relay.signal('SIGCONT');
  },
  cut: async (_relay, cut) => {
    const undo = cut();
    return async () => undo();
  },
  restart: async (relay) => {
    await relay.stop();
    return () => relay.start();
  },
};

async function startWatcher(scene: Scene, prefix: readonly string[]): Promise<LineProcess> {
  const [command, ...args] = [...prefix, process.execPath, '--disable-warning=ExperimentalWarning', WATCHER];
  const watcher = new LineProcess('watcher', command, args);
  scene.defer(() => watcher.stop());
  await watcher.ready();
  return watcher;
}

function loopback(): Place {
  const cut = (): never => {
    throw new Error('loopback cannot be cut');
  };
  return { relay: () => ({}), clients: [], cut };
}

/** One router, a cable to each relay and one to the clients. */
function cables(scene: Scene): Place {
  const lab = new Lab();
  scene.defer(() => lab.close());
  const router = lab.router('net');
  const attach = (name: string, net: string): Namespace => {
    const host = lab.host(name);
    lab.cable(router, `${net}.1`, host, `${net}.2`);
    host.defaultRoute(`${net}.1`);
    return host;
  };
  const hosts = Array.from({ length: RELAYS }, (_, i) => attach(`relay${i}`, relayNet(i)));
  const clients = attach('clients', '45.0.0');
  return {
    relay: (i) => ({ host: `${relayNet(i)}.2`, prefix: hosts[i]?.command([]) }),
    clients: clients.command([]),
    cut: (i) => {
      const undo = [router.filter(`ip daddr ${relayNet(i)}.2`, 'drop'), router.filter(`ip saddr ${relayNet(i)}.2`, 'drop')];
      return () => undo.forEach((one) => one());
    },
  };
}

function relayNet(i: number): string {
  return `45.0.${i + 1}`;
}
