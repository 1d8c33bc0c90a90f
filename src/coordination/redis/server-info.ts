import { peerText } from '../../lib/logger.ts';

/** The first with RESP 3, in which notices and answers share a connection. What else is needed is older. */
const OLDEST_VERSION = 6;

/** What a server says of itself. */
export interface ServerInfo {
  /** Of Redis, or the one that a server of another make says it can stand for: Valkey, KeyDB. Empty where it says none. */
  readonly version: string;
  readonly isCluster: boolean;
  readonly isPrimary: boolean;
  /** Another one when the process or the history of its data is another: what was written may be gone. `undefined` where the server does not say. */
  readonly history: string | undefined;
  /** The name of this history of data, and of the one that it went on from when this server was promoted from a replica. */
  readonly replication: { readonly id: string; readonly before: string };
  /** It may throw away what relayd keeps. */
  readonly evicts: string | undefined;
}

export function serverInfo(text: string): ServerInfo {
  const values = new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
  const run = values.get('run_id');
  const policy = values.get('maxmemory_policy');
  return {
    version: values.get('redis_version') ?? '',
    isCluster: values.get('redis_mode') === 'cluster',
    isPrimary: (values.get('role') ?? 'master') === 'master',
    history: run === undefined ? undefined : `${run}/${values.get('master_replid') ?? ''}`,
    replication: { id: values.get('master_replid') ?? '', before: values.get('master_replid2') ?? '' },
    evicts: policy === undefined || policy === 'noeviction' || (values.get('maxmemory') ?? '0') === '0' ? undefined : policy,
  };
}

/** What a server of that version lacks. `undefined`: it has all that is needed, or does not say what it is. */
export function versionProblem({ version }: Pick<ServerInfo, 'version'>, where: string): string | undefined {
  return Number.parseInt(version, 10) < OLDEST_VERSION ? `Redis ${OLDEST_VERSION}.0 or later is needed, and at ${where} is ${peerText(version)}` : undefined;
}
