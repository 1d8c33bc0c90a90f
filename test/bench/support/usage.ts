import { readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ, the unit of the times in /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface Usage {
  rssKiB: number;
  /** The most that was resident since the start, or since {@link forgetPeak}. */
  peakRssKiB: number;
  /** User and system time of all threads. */
  cpuSeconds: number;
}

/** What a process has used so far. */
export function readUsage(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  // The name in parentheses may hold anything; what follows it are numbers.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { rssKiB: kiB(status, 'VmRSS'), peakRssKiB: kiB(status, 'VmHWM'), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}

function kiB(status: string, name: string): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
}

/** Lets the peak start again from what is resident now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** What all processes together have used of the machine so far; interrupts are nobody's. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return (user + nice + system) / TICKS_PER_SECOND;
}
