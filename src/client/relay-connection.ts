import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import { errorTexts } from './error-texts.ts';
import { carriesHop, hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { withDeadline } from '../lib/deadline.ts';

/** A relay that cannot be connected in this time is no use to anyone. */
const CONNECT_DEADLINE_MS = 10_000;

/**
 * A direct connection to a relay: an open one, else a new one.
 *
 * @throws RelaydError DIAL_FAILED with every address's error in its message; TIMEOUT
 */
export async function connectRelay(
  components: ClientComponents,
  relay: { peer: PeerId; addrs: readonly Multiaddr[] },
  clock: Clock,
  signal: AbortSignal,
): Promise<Connection> {
  const open = hopConnections(components, relay.peer)[0];
  if (open !== undefined) {
    return open;
  }
  const connection = await withDeadline(CONNECT_DEADLINE_MS, clock, [signal], (limit) => openConnection(components, relay.addrs, limit));
  if (!carriesHop(connection)) {
    throw new RelaydError('DIAL_FAILED', 'the relay can only be reached through another relay');
  }
  return connection;
}

async function openConnection(components: ClientComponents, addrs: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
  try {
    return await components.connectionManager.openConnection([...addrs], { signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new RelaydError('DIAL_FAILED', 'cannot connect', { cause: new AggregateError([error], errorTexts(error).join('; ')) });
  }
}
