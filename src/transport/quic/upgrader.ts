import type { Upgrader } from '@libp2p/interface';

/** `upgrader` with other ways to upgrade. */
export function withUpgrades(upgrader: Upgrader, other: Partial<Pick<Upgrader, 'upgradeInbound' | 'upgradeOutbound'>>): Upgrader {
  return {
    upgradeInbound: (connection, options) => upgrader.upgradeInbound(connection, options),
    upgradeOutbound: (connection, options) => upgrader.upgradeOutbound(connection, options),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    ...other,
  };
}
