import { networkInterfaces } from 'node:os';
import type { RelaydConfig } from '../../config/domain.ts';
import { otherRelays } from '../../doctor/index.ts';
import type { DaemonFacts, Facts, NetworkFacts } from '../../doctor/index.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { resources } from '../../lib/resources.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../context.ts';
import type { DaemonOptions } from '../daemon.ts';
import { askDaemon, connect } from './ask-daemon.ts';
import { fileFacts } from './files.ts';
import { askPrometheus } from './prometheus.ts';

export interface DoctorOptions extends DaemonOptions {
  fileOnly?: boolean;
  ask?: string[];
  prometheus?: string;
  failover?: boolean;
}

/** More relays than a network of independent ones has. */
const MAX_ASKED = 16;

/** Peers are given a minute, and the answer some time. */
const ASK_TIMEOUT_MS = 75_000;

/** Asks all that there is to ask, one after the other: the rehearsal last, because the others would see its effects. */
export async function gatherFacts(context: CliContext, options: DoctorOptions, config: RelaydConfig): Promise<Facts> {
  const { client, state, isHere } = options.fileOnly === true ? NOT_ASKED : await connect(context, options, config);
  const daemon: DaemonFacts = client === undefined ? state : await askDaemon(client);
  const isRunning = daemon.state === 'running';
  const network = await networkFacts({ options, config, daemon, client });
  return {
    config,
    daemon,
    resources: isRunning ? daemon.status.process : resources(),
    nodeVersion: isRunning ? daemon.status.process.node : process.version,
    files: isHere ? await fileFacts(config) : undefined,
    network,
    prometheus: options.prometheus === undefined ? undefined : await askPrometheus(options.prometheus),
    rehearsal: options.failover === true ? await rehearse(isRunning ? client : undefined) : undefined,
    nowMs: Date.now(),
  };
}

const NOT_ASKED = { client: undefined, state: { state: 'not asked' }, isHere: true } as const;

interface Asking {
  options: DoctorOptions;
  config: RelaydConfig;
  daemon: DaemonFacts;
  client: AdminClient | undefined;
}

async function networkFacts({ options, config, daemon, client }: Asking): Promise<NetworkFacts> {
  const self = daemon.state === 'running' ? daemon.status.peerId : undefined;
  const named = new Set([...(options.ask ?? []), ...otherRelays(config), ...config.coordination.relays]);
  const asked = [...named, ...clusterAddrs(daemon, [...named])].filter((addr) => self === undefined || !addr.endsWith(`/p2p/${self}`)).slice(0, MAX_ASKED);
  const known = { ownIps: ownIps(), asked };
  try {
    return { ...known, problem: undefined, rows: await outside({ options, config, daemon, client }, asked) };
  } catch (error) {
    return { ...known, problem: { code: error instanceof RelaydError ? error.code : 'INTERNAL', message: errorMessage(error) }, rows: undefined };
  }
}

/** The relays of its cluster that nobody has named, each by one address. */
function clusterAddrs(daemon: DaemonFacts, named: readonly string[]): string[] {
  const relays = daemon.state === 'running' ? (daemon.cluster?.relays ?? []) : [];
  return relays.filter(({ self, peer }) => !self && !named.some((addr) => addr.endsWith(`/p2p/${peer}`))).flatMap(({ addrs }) => addrs.slice(0, 1));
}

/** By the daemon, or by a node of the moment in its place; `undefined` where nobody is asked. */
async function outside({ options, config, daemon, client }: Asking, asked: readonly string[]): Promise<NetworkFacts['rows']> {
  if (daemon.state === 'running' && client !== undefined) {
    return asked.length === 0 ? undefined : (JSON.parse(await client.post('/api/v1/check-reachability', { ask: asked }, { timeoutMs: ASK_TIMEOUT_MS })) as NetworkFacts['rows']);
  }
  if (daemon.state !== 'none' || options.fileOnly === true || config.network.listen.length === 0) {
    return undefined;
  }
  const { askForAMoment } = await import('../../node/short-node.ts');
  const rows = await askForAMoment(config, asked, AbortSignal.timeout(ASK_TIMEOUT_MS));
  return asked.length === 0 ? undefined : rows.filter(({ error }) => error !== OWN_ADDRESS);
}

/** As the node says when it is asked to ask itself. */
const OWN_ADDRESS = 'this is the node itself';

/** Without loopback and link-local addresses, which no peer can use. */
function ownIps(): string[] {
  const devices = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return devices.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address)).map(({ address }) => address);
}

async function rehearse(client: AdminClient | undefined): Promise<Facts['rehearsal']> {
  if (client === undefined) {
    return { error: 'no daemon runs that could lose a relay: start the client first' };
  }
  try {
    return JSON.parse(await client.post('/api/v1/rehearse-failover', undefined, { timeoutMs: ASK_TIMEOUT_MS })) as Facts['rehearsal'];
  } catch (error) {
    return { error: errorMessage(error) };
  }
}
