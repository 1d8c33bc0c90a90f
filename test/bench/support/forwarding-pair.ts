import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRelay } from './relay-process.ts';
import type { RelayProcess } from './relay-process.ts';
import { UNLIMITED } from './relays.ts';
import type { Security } from './relays.ts';

/** Two relays of one cluster, each in a process of its own, without limits. */
export interface RelayPair {
  /** Has the targets; alone it is the path over one relay. */
  readonly exit: RelayProcess;
  /** Has the sources. */
  readonly entry: RelayProcess;
  stop(): Promise<void>;
}

export async function startPair(security: Security, nodeArgs: readonly string[]): Promise<RelayPair> {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-bench-cluster-'));
  const secretFile = join(dir, 'cluster.secret');
  await writeFile(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const started: RelayProcess[] = [];
  const start = async (relays: readonly string[]): Promise<RelayProcess> => {
    const relay = await startRelay({ ...UNLIMITED, network: { security: [security] }, coordination: { backend: 'gossip', secretFile, relays } }, nodeArgs);
    started.push(relay);
    return relay;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((relay) => relay.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const exit = await start([]);
    return { exit, entry: await start([exit.addr]), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
