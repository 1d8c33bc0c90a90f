import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** What `node --cpu-prof` leaves: samples of the main thread's stack. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  /** Microseconds of the monotonic clock. */
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

export interface SelfTime {
  readonly name: string;
  readonly ms: number;
}

/** The time that each function spent in itself between two points in time, the longest first. */
export function selfTimes(file: string, window: { readonly fromUs: number; readonly toUs: number }): SelfTime[] {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const sums = new Map<string, number>();
  let at = profile.startTime;
  profile.samples.forEach((id, i) => {
    const deltaUs = profile.timeDeltas[i + 1] ?? 0;
    at += profile.timeDeltas[i] ?? 0;
    if (at < window.fromUs || at > window.toUs) return;
    const name = names.get(id) ?? '';
    sums.set(name, (sums.get(name) ?? 0) + deltaUs / 1000);
  });
  return [...sums].map(([name, ms]) => ({ name, ms })).sort((a, b) => b.ms - a.ms);
}

/** The function and where it stands: two of one name are often two functions. */
function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${packageOf(url)}${basename(url)}:${lineNumber + 1}`;
}

function packageOf(url: string): string {
  const inside = url.split('/node_modules/').at(-1)?.split('/') ?? [];
  if (!url.includes('/node_modules/')) return '';
  return `${inside.slice(0, inside[0]?.startsWith('@') === true ? 2 : 1).join('/')}/`;
}

const SHOWN = 25;
const IDLE = '(idle)';

export function printSelfTimes(title: string, times: readonly SelfTime[]): void {
  const work = times.filter(({ name }) => name !== IDLE);
  const busyMs = work.reduce((sum, { ms }) => sum + ms, 0);
  const idleMs = times.find(({ name }) => name === IDLE)?.ms ?? 0;
  console.log(`\n${title}: ${busyMs.toFixed(0)} ms of the main thread, ${idleMs.toFixed(0)} ms idle`);
  for (const { name, ms } of work.slice(0, SHOWN)) {
    console.log(`${ms.toFixed(0).padStart(8)} ms ${((ms / busyMs) * 100).toFixed(1).padStart(5)} %  ${name}`);
  }
}
