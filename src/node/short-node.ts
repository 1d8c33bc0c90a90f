import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { RelaydConfig } from '../config/domain.ts';
import { systemClock } from '../lib/clock.ts';
import type { OutsideRow } from '../lib/contracts.ts';
import { Lifecycle } from '../lib/lifecycle.ts';
import { createLogger } from '../lib/logger.ts';
import { buildRooms } from './build.ts';
import { NodeEmitter } from './events.ts';
import { loadIdentity } from './identity.ts';
import type { Identity } from './identity.ts';
import { Outside } from './outside.ts';

/**
 * Listens for a moment where a daemon with this config would, under its identity (or one of the moment, where there is none yet), and asks
 * peers whether they reach it. It serves nothing meanwhile, and writes nothing.
 *
 * @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, START_FAILED when it cannot listen; FILE_UNREADABLE for a swarm key that is none
 */
export async function askForAMoment(config: RelaydConfig, ask: readonly string[], signal: AbortSignal): Promise<OutsideRow[]> {
  const log = createLogger({ level: 'silent', format: 'json' });
  const bare = bareConfig(config);
  const rooms = await buildRooms({ config: bare, identity: await identityOrOther(config.identity.keyFile), clock: systemClock, log, emitter: new NodeEmitter(), condition: () => 'unready' });
  const lifecycle = new Lifecycle(log);
  await lifecycle.start([rooms.directory, rooms.host]);
  try {
    return ask.length === 0 ? [] : await new Outside(rooms, bare).ask(ask, signal);
  } finally {
    await lifecycle.stop();
  }
}

/** Of all that a node does, what it takes to listen and to be dialled. */
function bareConfig(config: RelaydConfig): RelaydConfig {
  const { discovery, coordination } = config;
  return { ...config, role: 'relay', coordination: { ...coordination, backend: 'none' }, discovery: { ...discovery, mdns: false, dht: { ...discovery.dht, enabled: false } }, tunnels: { expose: [], forward: [] } };
}

async function identityOrOther(keyFile: string): Promise<Identity> {
  return await loadIdentity(keyFile).catch(async () => {
    const privateKey = await generateKeyPair('Ed25519');
    return { privateKey, peerId: peerIdFromPrivateKey(privateKey) };
  });
}
