import type { Registry } from 'prom-client';
import type { ClientSupervisor } from '../client/index.ts';
import { isCircuit } from '../lib/addresses.ts';
import { AutonatClient, AutonatServer } from '../reachability/index.ts';
import type { DataPath } from '../transport/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { BuildOptions } from './build.ts';
import { DialBackNode } from './dial-back-host.ts';
import type { Host } from './host.ts';

interface Neighbours {
  host: Host;
  addresses: AddressPolicy;
  registry: Registry;
}

/** Serves clients that ask to be dialled: on every relay, which is reachable itself and has nothing to lose by it. */
export async function makeAutonatServer({ config, clock, log }: BuildOptions, { libp2p }: Host, dataPath: DataPath, registry: Registry): Promise<AutonatServer> {
  return new AutonatServer({
    host: libp2p,
    dialBackHost: await DialBackNode.create(dataPath, log),
    prefixes: config.relay.prefixes,
    allowPrivate: config.network.allowPrivate,
    clock,
    log,
    registry,
  });
}

/** Finds out whether this client needs relays, and tells its supervisor. */
export function makeAutonatClient({ config, clock, log }: BuildOptions, client: ClientSupervisor, { host, addresses, registry }: Neighbours): AutonatClient {
  const { libp2p } = host;
  return new AutonatClient({
    host: {
      handle: (protocol, handler, options) => libp2p.handle(protocol, handler, options),
      unhandle: (protocol) => libp2p.unhandle(protocol),
      getConnections: (peer) => libp2p.getConnections(peer),
      dial: (peer, signal) => libp2p.dial(peer, { signal }),
      listenAddrs: () => host.listenAddrs().filter((addr) => !isCircuit(addr)),
      addEventListener: (type, listener) => libp2p.addEventListener(type, listener),
      removeEventListener: (type, listener) => libp2p.removeEventListener(type, listener),
    },
    announce: config.network.announce,
    mayTell: (addr) => addresses.mayTell(addr),
    isTrusted: (peer) => addresses.isConfigured(peer),
    onChange: ({ value }, guesses) => {
      host.tellConfirmed(guesses);
      client.setReachability(value);
    },
    clock,
    random: Math.random,
    log,
    registry,
  });
}
