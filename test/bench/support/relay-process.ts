import { fileURLToPath } from 'node:url';
import { Daemon } from '../../../scripts/lib/daemon.ts';
import type { ReadyLine } from '../../../scripts/lib/daemon.ts';
import { Fleet } from '../../support/fleet.ts';
import { endChildrenOnSignals } from './interrupt.ts';
import { readUsage } from './usage.ts';
import type { Usage } from './usage.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

export interface RelayProcess {
  readonly addr: string;
  readonly pid: number;
  usage(): Usage;
  /** Waits until the process is at rest: its CPU time stands still. */
  settle(): Promise<void>;
  /** The sum of a metric over all its labels. */
  gauge(name: string): Promise<number>;
  /** The share of a core that it uses while nothing happens. */
  idleCpu(ms: number): Promise<number>;
  stop(): Promise<void>;
}

/** A relay in a process of its own, on loopback, with `config` over the defaults of tier 1, and `nodeArgs` before the program. */
export async function startRelay(config: { network?: object } & Record<string, unknown>, nodeArgs: readonly string[] = []): Promise<RelayProcess> {
  endChildrenOnSignals();
  const fleet = await Fleet.create();
  await fleet.configure('relay', { profile: 'tier1', role: 'relay', ...config, network: { listen: ['/ip4/127.0.0.1/tcp/0'], ...config.network } });
  const daemon = new Daemon({ name: 'relay', command: [process.execPath, ...nodeArgs, MAIN], configFile: fleet.configFile('relay'), dataDir: fleet.dataDir('relay'), ownGroup: true });
  const stop = async (): Promise<void> => {
    await daemon.stop();
    await fleet.stopAll();
  };
  try {
    return relayProcess(await daemon.ready(), stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function relayProcess({ pid, addrs, admin }: ReadyLine, stop: () => Promise<void>): RelayProcess {
  const usage = (): Usage => readUsage(pid);
  return {
    addr: addrs[0] ?? '',
    pid,
    usage,
    gauge: async (name) => sumOf(name, await (await fetch(new URL('/metrics', admin))).text()),
    settle: () => settle(usage),
    idleCpu: async (ms) => {
      const start = usage().cpuSeconds;
      await delay(ms);
      return ((usage().cpuSeconds - start) * 1000) / ms;
    },
    stop,
  };
}

/** @throws Error when there is no such metric: 0 would look well */
function sumOf(name: string, metrics: string): number {
  const rows = metrics.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  if (rows.length === 0) throw new Error(`the relay has no metric ${name}`);
  return rows.reduce((sum, row) => sum + Number(row.split(' ').at(-1)), 0);
}

async function settle(usage: () => Usage): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const before = usage().cpuSeconds;
    await delay(500);
    if (usage().cpuSeconds - before < 0.03) return;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
