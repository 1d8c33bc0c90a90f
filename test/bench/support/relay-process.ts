import { readFileSync } from 'node:fs';
import { Fleet } from '../../support/fleet.ts';

const TICKS_PER_SECOND = 100;

export interface Usage {
  rssKiB: number;
  cpuSeconds: number;
}

export interface RelayProcess {
  readonly addr: string;
  usage(): Usage;
  /** Waits until the process is at rest: its CPU time stands still. */
  settle(): Promise<void>;
  /** The share of a core that it uses while nothing happens. */
  idleCpu(ms: number): Promise<number>;
  stop(): Promise<void>;
}

/** A relay in a process of its own, on loopback, with `config` over the defaults of tier 1. */
export async function startRelay(config: Record<string, unknown>): Promise<RelayProcess> {
  const fleet = await Fleet.create();
  const { ready } = await fleet.start('relay', { profile: 'tier1', role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] }, ...config });
  const usage = (): Usage => readUsage(ready.pid);
  return {
    addr: ready.addrs[0] ?? '',
    usage,
    settle: () => settle(usage),
    idleCpu: async (ms) => {
      const start = usage().cpuSeconds;
      await delay(ms);
      return ((usage().cpuSeconds - start) * 1000) / ms;
    },
    stop: () => fleet.stopAll(),
  };
}

function readUsage(pid: number): Usage {
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { rssKiB: Number(rss), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
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
