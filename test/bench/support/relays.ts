import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebAuthority, writeCertificate } from '../../support/certificate.ts';
import { LineProcess } from './line-process.ts';
import { LOAD, RUST_PEER, built } from './programs.ts';
import { startRelay } from './relay-process.ts';

/** The relays that are compared, each without a limit on what it relays. */

export type Security = 'noise' | 'tls';

export interface MeasuredRelay {
  readonly addr: string;
  readonly pid: number;
  /** The sum of a metric over all its labels, of a relayd. */
  gauge?(name: string): Promise<number>;
  stop(): Promise<void>;
}

interface Kind {
  readonly title: string;
  /** How much less it is given to relay, where a full measure would take minutes. */
  readonly share?: number;
  /** Measured only when it is asked for. */
  readonly aside?: boolean;
  start(security: Security, nodeArgs: readonly string[]): Promise<MeasuredRelay>;
}

const DAY_SECONDS = 86_400;
const STOCK_RELAY = fileURLToPath(new URL('../stock-relay.ts', import.meta.url));

/** What js-libp2p's own components cost is some ten times the rest. */
const STOCK_SHARE = 1 / 8;

export const RELAYS = {
  ours: { title: 'relayd', start: (security, nodeArgs) => ours('native', security, nodeArgs) },
  'ours-ws': { title: 'relayd over WebSocket', aside: true, start: (security, nodeArgs) => ours('native', security, nodeArgs, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] }) },
  'ours-wss': { title: 'relayd over WebSocket and TLS', aside: true, start: overTls },
  'stock-path': { title: 'relayd, dataPath: stock', share: STOCK_SHARE, start: (security, nodeArgs) => ours('stock', security, nodeArgs) },
  go: { title: 'go-libp2p', start: (security) => goRelay(security, 2 << 10) },
  go64: { title: 'go-libp2p, 64 KiB buffer', start: (security) => goRelay(security, 64 << 10) },
  rust: { title: 'rust-libp2p', start: rustRelay },
  'stock-js': { title: 'js-libp2p', share: STOCK_SHARE, start: (security) => lineRelay('stock-js', process.execPath, [STOCK_RELAY, security]) },
} as const satisfies Record<string, Kind>;

export type RelayName = keyof typeof RELAYS;

export const RELAY_NAMES = Object.keys(RELAYS) as RelayName[];

/** What is compared unless something else is asked for. */
export const COMPARED = RELAY_NAMES.filter((name) => kindOf(name).aside !== true);

export function kindOf(name: RelayName): Kind {
  return RELAYS[name];
}

/** Whether it is a relayd, which Node can be asked to profile. */
export function isOurs(name: RelayName): boolean {
  return name.startsWith('ours') || name === 'stock-path';
}

export const UNLIMITED = {
  connections: { low: 8000, high: 9000, max: 10_000, inboundPerPrefix: 'unlimited', pendingPerPrefix: 'unlimited' },
  relay: {
    limits: {
      reservations: { max: 10_000, perPrefix: 'unlimited' },
      circuits: { max: 100_000, perSource: 'unlimited', perTarget: 'unlimited', pending: 10_000, duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' },
      rates: { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPeer: 'unlimited', connectPerPrefix: 'unlimited' },
    },
  },
  drain: { timeout: '1s' },
};

async function ours(dataPath: 'native' | 'stock', security: Security, nodeArgs: readonly string[], network: object = {}): Promise<MeasuredRelay> {
  return startRelay({ ...UNLIMITED, network: { dataPath, security: [security], ...network } }, nodeArgs);
}

/** With a certificate that the load takes unseen, as it takes any. */
async function overTls(security: Security, nodeArgs: readonly string[]): Promise<MeasuredRelay> {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-bench-wss-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const relay = await ours('native', security, nodeArgs, { listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'], websocket: writeCertificate(dir, new WebAuthority().issue()) });
    const stop = async (): Promise<void> => {
      await relay.stop();
      await remove();
    };
    return { ...relay, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function goRelay(security: Security, bufferBytes: number): Promise<MeasuredRelay> {
  return lineRelay('go relay', await built(LOAD), ['serve-relay', '--security', security, '--buffer', String(bufferBytes)]);
}

async function rustRelay(security: Security): Promise<MeasuredRelay> {
  const limits = ['--relay-ttl', DAY_SECONDS, '--relay-limit-duration', DAY_SECONDS, '--relay-limit-data', 0].map(String);
  return lineRelay('rust relay', await built(RUST_PEER), ['--mode', 'relay', '--listen', '/ip4/127.0.0.1/tcp/0', '--security', security, ...limits]);
}

async function lineRelay(name: string, command: string, args: readonly string[]): Promise<MeasuredRelay> {
  const relay = new LineProcess(name, command, args);
  try {
    const { addrs } = await relay.ready();
    return { addr: addrs?.[0] ?? '', pid: relay.pid, stop: () => relay.stop() };
  } catch (error) {
    await relay.stop();
    throw error;
  }
}
