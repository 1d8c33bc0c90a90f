import type { CoordinationConfig, HostPort } from '../../config/domain.ts';
import { readPassword, readStoreTls } from '../store-files.ts';
import type { StoreTls } from '../store-files.ts';

/** How to speak to any server of the store. */
export interface Access {
  readonly tls: StoreTls | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

export interface Settings {
  readonly access: Access;
  /** Where to ask: the server itself, or some nodes of a cluster. */
  readonly servers: readonly HostPort[];
  /** With any, these say where the primary is. */
  readonly sentinels: readonly HostPort[];
  readonly sentinelPrimary: string;
  /** As whom. `undefined` without a password of theirs. */
  readonly sentinelAccess: Access | undefined;
  /** Whether servers that others name may be on other machines: those of the configuration have been checked with it. */
  readonly mayBeFar: boolean;
}

export type StoreConfig = Pick<CoordinationConfig, 'redis' | 'allowPlaintext'>;

const DEFAULT_PORT = 6379;

/** Reads the files that the configuration names. @throws RelaydError FILE_UNREADABLE */
export function readSettings({ redis: config, allowPlaintext }: StoreConfig): Settings {
  const url = new URL(config.url);
  const tls = url.protocol === 'rediss:' ? readStoreTls('coordination.redis', config.tls) : undefined;
  const password = readPassword('coordination.redis.passwordFile', config.passwordFile);
  const sentinelPassword = readPassword('coordination.redis.sentinelPasswordFile', config.sentinelPasswordFile);
  return {
    access: { tls, username: config.username, password, database: Number(url.pathname.slice(1)) },
    servers: [url, ...config.nodes.map((node) => new URL(node))].map(hostPort),
    sentinels: config.sentinels,
    sentinelPrimary: config.sentinelPrimary,
    sentinelAccess: sentinelPassword === undefined ? undefined : { tls, username: config.sentinelUsername, password: sentinelPassword, database: 0 },
    mayBeFar: allowPlaintext || url.protocol === 'rediss:',
  };
}

/** URLs write IPv6 addresses in brackets, sockets do not. */
function hostPort({ hostname, port }: URL): HostPort {
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || DEFAULT_PORT) };
}
