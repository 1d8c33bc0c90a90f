import type { Connection } from '@libp2p/interface';
import { RelaydError } from '../lib/errors.ts';

/**
 * The failure of a session whose connection ended underneath it: a relay's limit, a relay that is gone, a lost network. `undefined` when the connection
 * still stands: then one of the two programs reset the session, which is their business and no failure of ours.
 */
export function cutUnder(connection: Connection, cause: unknown): RelaydError | undefined {
  if (connection.status === 'open') {
    return undefined;
  }
  if (!connection.remoteAddr.toString().includes('/p2p-circuit')) {
    return new RelaydError('CLOSED', 'the connection to the peer was lost', { cause });
  }
  const limited = connection.limits === undefined ? '' : 'its limit of bytes or time is reached, or ';
  return new RelaydError('CLOSED', `the circuit was cut: ${limited}the relay or the peer is gone`, { cause });
}
