import { readFile } from 'node:fs/promises';
import type { CoordinationConfig, HostPort, RedisConfig } from '../../config/domain.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';

/** How to speak to any server of the store. */
export interface Access {
  readonly tls: TlsFiles | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

export interface Settings {
  readonly access: Access;
  /** Where to ask: the server itself, or some nodes of a cluster. */
  readonly servers: readonly HostPort[];
  /** With any, these say where the primary is. */
  readonly sentinels: readonly HostPort[];
  readonly sentinelPrimary: string;
  /** Whether servers that others name may be on other machines: those of the configuration have been checked with it. */
  readonly mayBeFar: boolean;
}

export type StoreConfig = Pick<CoordinationConfig, 'redis' | 'allowPlaintext'>;

const DEFAULT_PORT = 6379;

/** Reads the files that the configuration names. @throws RelaydError FILE_UNREADABLE */
export async function readSettings({ redis: config, allowPlaintext }: StoreConfig): Promise<Settings> {
  const url = new URL(config.url);
  return {
    access: {
      tls: url.protocol === 'rediss:' ? await tlsFiles(config) : undefined,
      username: config.username,
      password: config.passwordFile === undefined ? undefined : (await fileOf('passwordFile', config.passwordFile)).toString('utf8').trim(),
      database: Number(url.pathname.slice(1)),
    },
    servers: [url, ...config.nodes.map((node) => new URL(node))].map(hostPort),
    sentinels: config.sentinels,
    sentinelPrimary: config.sentinelPrimary,
    mayBeFar: allowPlaintext || url.protocol === 'rediss:',
  };
}

async function tlsFiles({ tls }: RedisConfig): Promise<TlsFiles> {
  const read = async (name: keyof typeof tls): Promise<Buffer | undefined> => {
    const path = tls[name];
    return path === undefined ? undefined : fileOf(`tls.${name}`, path);
  };
  const [ca, cert, key] = await Promise.all([read('caFile'), read('certFile'), read('keyFile')]);
  return { ca, cert, key };
}

async function fileOf(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new RelaydError('FILE_UNREADABLE', `coordination.redis.${key}: ${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}

/** URLs write IPv6 addresses in brackets, sockets do not. */
function hostPort({ hostname, port }: URL): HostPort {
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || DEFAULT_PORT) };
}
