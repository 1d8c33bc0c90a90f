import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { readAdminFile } from '../../admin/index.ts';
import type { RelaydConfig } from '../../config/domain.ts';
import { parseSeries } from '../../doctor/index.ts';
import type { DaemonFacts, RunningFacts, StatusFacts } from '../../doctor/index.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { AdminClient } from '../admin-client.ts';
import { clusterIfAny } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { findDaemon } from '../daemon.ts';
import type { DaemonOptions } from '../daemon.ts';

interface Found {
  client: AdminClient | undefined;
  /** Where there is no client. */
  state: Exclude<DaemonFacts, { state: 'running' }>;
  /** The files of the config are those of the daemon. */
  isHere: boolean;
}

/** The daemon of this config, or the one that --admin names. */
export async function connect(context: CliContext, options: DaemonOptions, { dataDir }: RelaydConfig): Promise<Found> {
  if (options.admin === undefined && !(await isThere(join(dataDir, 'admin.json')))) {
    return { client: undefined, state: { state: 'none' }, isHere: true };
  }
  try {
    const client = await findDaemon(context, options);
    const known = await readAdminFile(dataDir).catch(() => undefined);
    return { client, state: { state: 'none' }, isHere: options.admin === undefined || known?.url === client.url.replace(/\/$/, '') };
  } catch (error) {
    return { client: undefined, state: { state: 'unreachable', reason: errorMessage(error) }, isHere: options.admin === undefined };
  }
}

/** What it says of itself; whatever it does not answer makes it unreachable. */
export async function askDaemon(client: AdminClient): Promise<DaemonFacts> {
  try {
    return { state: 'running', url: client.url, ...(await factsOf(client)) };
  } catch (error) {
    return { state: 'unreachable', reason: errorMessage(error) };
  }
}

async function factsOf(client: AdminClient): Promise<Omit<RunningFacts, 'url'>> {
  const [status, ready, metrics, relays, cluster] = await Promise.all([
    client.get('/api/v1/status'),
    client.get('/readyz', { expected: [503] }),
    client.get('/metrics'),
    client.get('/api/v1/relays'),
    clusterIfAny(client, undefined),
  ]);
  const { reasons = [] } = JSON.parse(ready) as { reasons?: string[] };
  return { status: JSON.parse(status) as StatusFacts, problems: reasons, series: parseSeries(metrics), relays: JSON.parse(relays) as RunningFacts['relays'], cluster };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
