import type { ServerInfo } from './server-info.ts';

/** What a connection finds there, after those before it. `moved`: the same data at another node of a Redis Cluster. `lost`: the server or its data's history is another. */
export type Finding = 'same' | 'moved' | 'lost';

/** What a server says of the history before its own where there was none. */
const NEVER_PROMOTED = /^0{40}$/;

/**
 * A node that was made the primary of the slot by its replica's promotion may lack the end of what the one before had. It names the history that it went on
 * from, which need not be the one that was seen last: one that was ever promoted counts as such.
 *
 * @param isMove the server before has sent there
 */
export function findingOf(before: Pick<ServerInfo, 'history' | 'replication'>, now: Pick<ServerInfo, 'history' | 'replication'>, isMove: boolean): Finding {
  if (now.history !== undefined && now.history === before.history) return 'same';
  return isMove && NEVER_PROMOTED.test(now.replication.before) && now.replication.id !== before.replication.id ? 'moved' : 'lost';
}
