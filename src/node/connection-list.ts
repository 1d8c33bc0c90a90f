import type { Connection, PeerId } from '@libp2p/interface';
import type { ConnectionManager } from '@libp2p/interface-internal';

/**
 * For `connectionManager.allow` of createLibp2p: every address there is. An inbound connection from an allowed address is
 * let in before anything is counted, and libp2p counts by listing all connections. The limits are ConnectionKeeper's.
 */
export const ANY_ADDRESS = ['/ip4/0.0.0.0/ipcidr/0', '/ip6/::/ipcidr/0'];

/** Of libp2p's own connection manager, beyond its interface. */
interface WithPruner {
  connectionPruner?: { stop?: () => void };
}

/**
 * Makes `getConnections()` list in the time that the list is long: libp2p's own grows it by one copy a peer, half a second for
 * 10,000 peers. To be called once a manager.
 */
export function listQuickly(manager: ConnectionManager): void {
  const ofPeer = manager.getConnections.bind(manager);
  manager.getConnections = (peer?: PeerId): Connection[] => (peer === undefined ? [...manager.getConnectionsMap().values()].flat() : ofPeer(peer));
}

/**
 * Stops libp2p's pruner, which lists all connections at every new one and never finds too many: trimming is ConnectionKeeper's.
 * To be called after each start of libp2p.
 *
 * @returns false when this libp2p has no such pruner, and nothing was done
 */
export function stopPruner(manager: ConnectionManager): boolean {
  const { connectionPruner } = manager as WithPruner;
  connectionPruner?.stop?.();
  return connectionPruner?.stop !== undefined;
}
