import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const TICKS_PER_SECOND = 100;

export interface Usage {
  rssKiB: number;
  cpuSeconds: number;
}

export interface RelayProcess {
  readonly addr: string;
  readonly admin: string;
  usage(): Usage;
  /** Waits until the process is at rest: its CPU time stands still. */
  settle(): Promise<void>;
  /** The share of a core that it uses while nothing happens. */
  idleCpu(ms: number): Promise<number>;
  stop(): Promise<void>;
}

/** A relay in a process of its own, on loopback, with `config` over the defaults of tier 1. */
export async function startRelay(config: Record<string, unknown>): Promise<RelayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'relayd-bench-'));
  const file = join(folder, 'relay.yaml');
  const base = { profile: 'tier1', role: 'relay', dataDir: folder, network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true }, admin: { listen: '127.0.0.1:0' }, log: { format: 'json' } };
  writeFileSync(file, JSON.stringify({ ...base, ...config }));
  const child = spawn(process.execPath, [MAIN, 'run', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ready = await readyLine(child.stdout, child);
  const pid = ready.pid;
  const usage = (): Usage => readUsage(pid);
  return {
    addr: ready.addrs[0] ?? '',
    admin: ready.admin,
    usage,
    settle: () => settle(usage),
    idleCpu: async (ms) => {
      const start = usage().cpuSeconds;
      await delay(ms);
      return ((usage().cpuSeconds - start) * 1000) / ms;
    },
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Ready {
  event: 'ready';
  addrs: string[];
  admin: string;
  pid: number;
}

async function readyLine(stdout: NodeJS.ReadableStream, child: NodeJS.EventEmitter): Promise<Ready> {
  const died = once(child, 'exit').then(() => Promise.reject(new Error('the relay ended before it was ready')));
  died.catch(() => {});
  const lines = createInterface({ input: stdout });
  const found = (async () => {
    for await (const line of lines) {
      const entry = JSON.parse(line) as Partial<Ready>;
      if (entry.event === 'ready') return entry as Ready;
    }
    throw new Error('no ready line');
  })();
  const ready = await Promise.race([found, died]);
  stdout.resume();
  return ready;
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
