import type { ComponentLogger, Connection, ConnectionGater, Libp2pEvents, PeerId, PeerRouting, PeerStore, TypedEventTarget, Upgrader } from '@libp2p/interface';
import type { AddressManager, ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal';

/** What the client uses of libp2p's inside; libp2p hands it to transports and services alike. */
export interface ClientComponents {
  peerId: PeerId;
  logger: ComponentLogger;
  events: TypedEventTarget<Libp2pEvents>;
  registrar: Registrar;
  upgrader: Upgrader;
  connectionManager: ConnectionManager;
  connectionGater: ConnectionGater;
  transportManager: TransportManager;
  addressManager: AddressManager;
  peerStore: PeerStore;
  peerRouting: PeerRouting;
}

/** The libp2p service that hands the components out; see index.ts for the wiring. */
export interface ClientService {
  readonly components: ClientComponents;
}

/** For `services` of createLibp2p: `libp2p.services.<name>.components` is what the supervisor and the dialler take. */
export function clientService(): (components: ClientComponents) => ClientService {
  return (components) => ({ components });
}

/** The open, direct, unlimited connections to `peer`: the only ones that HOP may run over. */
export function hopConnections(components: Pick<ClientComponents, 'connectionManager'>, peer: PeerId): Connection[] {
  return components.connectionManager.getConnections(peer).filter(carriesHop);
}

export function carriesHop(connection: Connection): boolean {
  return connection.status === 'open' && connection.direct && connection.limits === undefined;
}
