import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { runCommand } from './processes.ts';

/** The relayd command of this checkout. */
export const relaydCommand: readonly [string] = [fileURLToPath(new URL('../relayd', import.meta.url))];

/** One of the three nodes: a folder with its config, identity and state. */
export interface Member {
  readonly name: string;
  readonly peerId: string;
  readonly dataDir: string;
  readonly configFile: string;
  /** Writes its config and returns the file's name. */
  write(config: object): Promise<string>;
}

const KEY_TIMEOUT_MS = 30_000;
const SERVICE_NAME = 'web';

/** Everything on this machine, with ports that the system chooses. */
const LOOPBACK = { network: { listen: [] as string[], allowPrivate: true }, admin: { listen: '127.0.0.1:0' }, log: { format: 'json' } };

export const configOf = {
  /** The clients are members of its realm, so their circuits have no limit of time or bytes. */
  relay: ({ members }: { members: string[] }): object => ({
    role: 'relay',
    ...LOOPBACK,
    network: { ...LOOPBACK.network, listen: ['/ip4/127.0.0.1/tcp/0'] },
    realm: { name: 'quickstart', members },
  }),
  exposing: ({ relayAddr, service, allow }: { relayAddr: string; service: { host: string; port: number }; allow: string }): object => ({
    role: 'client',
    ...LOOPBACK,
    client: { relays: [relayAddr] },
    tunnels: { expose: [{ name: SERVICE_NAME, to: `${service.host}:${service.port}`, allow: [allow] }] },
  }),
  forwarding: ({ relayAddr, peer }: { relayAddr: string; peer: string }): object => ({
    role: 'client',
    ...LOOPBACK,
    client: { relays: [relayAddr] },
    tunnels: { forward: [{ listen: '127.0.0.1:0', peer, name: SERVICE_NAME }] },
  }),
};

export async function makeMember(dir: string, name: string): Promise<Member> {
  const dataDir = join(dir, name);
  const configFile = join(dir, `${name}.yaml`);
  const write = async (config: object): Promise<string> => {
    await writeFile(configFile, stringify({ ...config, dataDir }));
    return configFile;
  };
  await mkdir(dataDir, { mode: 0o700 });
  await write({});
  return { name, peerId: await makeIdentity(configFile), dataDir, configFile, write };
}

/** Ahead of the start, so that the clients' configs can name each other. */
async function makeIdentity(configFile: string): Promise<string> {
  const { exit, stdout, output } = await runCommand(relaydCommand[0], ['key', 'new', '--json', '--config', configFile], { timeoutMs: KEY_TIMEOUT_MS });
  const { peerId } = exit === 'exit code 0' ? (JSON.parse(stdout) as { peerId?: string }) : {};
  if (peerId === undefined) {
    throw new Error(`"relayd key new" failed with ${exit}: ${output}`);
  }
  return peerId;
}
