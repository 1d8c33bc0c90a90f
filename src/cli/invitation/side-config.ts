/**
 * Settings of a node of one purpose, above what the user's config says: it runs beside a daemon of the same config, so nothing that only one can have
 * (identity, data directory, ports) may be the same.
 */
export const SIDE_SETTINGS: readonly string[] = [
  'role=client',
  'identity.keyFile=identity.key',
  'network.listen=[]',
  'network.announce=[]',
  'admin.listen=127.0.0.1:0',
  // Who presses Ctrl-C at a terminal does not wait for half a minute.
  'drain.timeout=3s',
];

/** The relays are those that were named, and no others. */
export const NO_DISCOVERY: readonly string[] = ['discovery.bootstrap=[]', 'discovery.dht.enabled=false', 'discovery.mdns=false'];
