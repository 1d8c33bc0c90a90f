import { assertConfig, loadConfig } from '../../../src/config/index.ts';
import { checkAll } from '../../../src/doctor/index.ts';
import type { Facts, Item, RunningFacts, StatusFacts } from '../../../src/doctor/index.ts';
import type { OutsideRow } from '../../../src/lib/contracts.ts';

export const SELF = '12D3KooWJffAYWBXc5tbzzQZvnZtvEiQUuNgCUhgaFp99qJB52jk';
export const OTHER = '12D3KooWALFQhy6Fgr7ZMZJvsLn7tGCEwhDbcKzWH5mkdqVxPotm';
export const OTHER_ADDR = `/ip4/45.51.100.4/tcp/4001/p2p/${OTHER}`;
export const NOW_MS = Date.parse('2027-03-04T05:06:07Z');

const GIB = 1024 ** 3;

/** A relay without a daemon, on a good machine, with nothing wrong; `config` is as in the file. */
export function facts(changes: Partial<Facts> = {}, config: object = {}): Facts {
  const own = { dataDir: '/var/lib/relayd', network: { listen: ['/ip4/0.0.0.0/tcp/4001'] }, ...config };
  return {
    config: assertConfig(loadConfig({ inline: own })),
    daemon: { state: 'none' },
    resources: { descriptorLimit: 65_536, memoryLimitBytes: 8 * GIB },
    nodeVersion: 'v24.1.0',
    files: {
      key: { state: 'good', peerId: SELF },
      backup: { peerId: SELF, at: '2027-01-02T00:00:00.000Z', file: '/mnt/key' },
      dataDir: { path: '/var/lib/relayd', exists: true, unwritable: undefined, mode: 0o40700, freeBytes: 50 * GIB, totalBytes: 100 * GIB, lasts: 'always' },
      token: undefined,
      hasAuthorityKey: false,
      certificate: undefined,
    },
    network: { problem: undefined, ownIps: ['45.3.113.7'], asked: [OTHER_ADDR], rows: [row()] },
    prometheus: undefined,
    rehearsal: undefined,
    nowMs: NOW_MS,
    ...changes,
  };
}

/** A relay that reaches this one, names it, and has the right time. */
export function row(changes: Partial<OutsideRow> = {}): OutsideRow {
  return {
    addr: OTHER_ADDR,
    peer: OTHER,
    seenAt: '45.3.113.7',
    dialBacks: [{ addr: '/ip4/45.3.113.7/tcp/4001', guessed: false, outcome: 'reachable' }],
    relay: { region: 'us-east', names: [`/ip4/45.3.113.7/tcp/4001/p2p/${SELF}`], clockAheadMs: -200 },
    ...changes,
  };
}

const COUNTS = { reservations: { count: 3, max: 128 }, circuits: { count: 1, max: 1024 }, bytesRelayed: 0, bufferedBytes: 0 };

/** A daemon that is well. */
export function running(changes: Partial<RunningFacts> = {}, status: Partial<StatusFacts> = {}): Facts['daemon'] {
  const own: StatusFacts = {
    peerId: SELF,
    profile: 'tier1',
    role: 'relay',
    state: 'ready',
    uptimeSeconds: 3600,
    addrs: [`/ip4/45.3.113.7/tcp/4001/p2p/${SELF}`],
    relay: { ...COUNTS, classes: { public: COUNTS, member: COUNTS } },
    process: { pid: 4242, node: 'v24.1.0', eventLoopDelayMs: { p99: 1.5 }, descriptorLimit: 65_536, memoryLimitBytes: 8 * GIB },
    metrics: { lastScrapeSecondsAgo: 12 },
    ...status,
  };
  return { state: 'running', url: 'http://127.0.0.1:9641', status: own, problems: [], series: [], relays: [], cluster: undefined, ...changes };
}

/** The status of each item by its name. */
export function verdicts(given: Facts): Record<string, Item['status']> {
  return Object.fromEntries(items(given).map(({ item, status }) => [item, status]));
}

/** @throws Error when the checklist has no such item */
export function itemOf(given: Facts, name: string): Item {
  const found = items(given).find(({ item }) => item === name);
  if (found === undefined) throw new Error(`no item ${name} among ${items(given).map(({ item }) => item).join()}`);
  return found;
}

function items(given: Facts): Item[] {
  return checkAll(given).flatMap((group) => group.items);
}
