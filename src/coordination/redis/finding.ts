import type { ServerInfo } from './server-info.ts';

/** What a connection finds there, after those before it. `moved`: the same data at another node of a Redis Cluster. `lost`: the server or its data's history is another. */
export type Finding = 'same' | 'moved' | 'lost';

/**
 * A node that was made the primary of the slot by its replica's promotion names the same history as the one before, and may lack its end.
 *
 * @param isMove the server before has sent there
 */
export function findingOf(before: Pick<ServerInfo, 'history' | 'replication'>, now: Pick<ServerInfo, 'history' | 'replication'>, isMove: boolean): Finding {
  if (now.history !== undefined && now.history === before.history) return 'same';
  return isMove && now.replication.before !== before.replication.id && now.replication.id !== before.replication.id ? 'moved' : 'lost';
}
