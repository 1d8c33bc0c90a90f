import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { machineCpuSeconds, readUsage } from '../../bench/support/usage.ts';
import { nowMs } from './time.ts';

/** What else the machine did while a row ran: who reads a figure must know. */
export interface Noise {
  readonly seconds: number;
  /** At the end, over the last minute. */
  readonly load1: number;
  /** Of all processors: taken by other virtual machines. */
  readonly stealPercent: number;
  /** Of all processors: used by processes that are not of the suite. */
  readonly othersPercent: number;
  /** Of all processors: used by the suite, relays and clients included. */
  readonly ownPercent: number;
}

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const STEAL_COLUMN = 8;

export class NoiseMeter {
  readonly #at = nowMs();
  readonly #machine = machineCpuSeconds();
  readonly #steal = stealSeconds();
  readonly #own = ownCpuSeconds();

  read(): Noise {
    const seconds = (nowMs() - this.#at) / 1000;
    const capacity = seconds * availableParallelism();
    const percent = (part: number): number => Math.max(0, Math.round((part / capacity) * 1000) / 10);
    const own = ownCpuSeconds() - this.#own;
    return {
      seconds: Math.round(seconds),
      load1: Math.round((loadavg()[0] ?? 0) * 100) / 100,
      stealPercent: percent(stealSeconds() - this.#steal),
      othersPercent: percent(machineCpuSeconds() - this.#machine - own),
      ownPercent: percent(own),
    };
  }
}

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly node: string;
}

export function machine(): Machine {
  return { cores: availableParallelism(), processor: cpus()[0]?.model ?? 'unknown', memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version };
}

function stealSeconds(): number {
  return Number(readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/)[STEAL_COLUMN] ?? 0) / TICKS_PER_SECOND;
}

/** Of this process, of its children that have ended, and of those that run. */
function ownCpuSeconds(): number {
  return readUsage(process.pid).cpuSeconds + endedChildrenSeconds() + childrenOf(process.pid).reduce((sum, pid) => sum + cpuOf(pid), 0);
}

function endedChildrenSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => unlessEnded(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'), '').split(' ').filter(Boolean).map(Number));
}

function cpuOf(pid: number): number {
  return unlessEnded(() => readUsage(pid).cpuSeconds, 0);
}

/** What is read of a thread or a process that may just have ended. */
function unlessEnded<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
