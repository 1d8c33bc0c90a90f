import { setTimeout as delay } from 'node:timers/promises';
import { readUsage } from './usage.ts';
import type { Usage } from './usage.ts';

const LOOK_MS = 500;
const LOOKS = 20;
/** Pings and timers go on. */
const AT_REST_SECONDS = 0.03;

/** What a process has used when its CPU time stands still, or nearly. */
export async function settled(pid: number): Promise<Usage> {
  let last = readUsage(pid);
  for (let i = 0; i < LOOKS; i++) {
    await delay(LOOK_MS);
    const now = readUsage(pid);
    if (now.cpuSeconds - last.cpuSeconds < AT_REST_SECONDS) return now;
    last = now;
  }
  return last;
}
