import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

const MIB = 2 ** 20;
/**
 * What V8 counts into its limit for the young generation, at most (Node 24; Node 22: 48 MiB). Objects that stay cannot use it, so that a limit
 * with it in would never be reached on a small machine.
 */
const YOUNG_BYTES = 192 * MIB;

/**
 * What the process may come to use, beside Node's own series of what it uses: above the first the system kills it, above the second Node
 * ends it.
 */
export function addMemoryLimits(registry: Registry): void {
  const options = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  gauge(registry, 'relayd_memory_limit_bytes', "What the process may have resident: its control group's limit, or the machine's memory where that is less", residentLimitBytes());
  gauge(registry, 'relayd_heap_limit_bytes', 'What JavaScript objects may take', heapLimitBytes(options, getHeapStatistics().heap_size_limit));
}

/** Node answers 0, or a number beyond all memory, where no limit is set. */
function residentLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** What objects that stay may take: as Node's options say, or rather too little than too much of V8's own limit. */
export function heapLimitBytes(options: string, v8LimitBytes: number): number {
  const mib = /--max[-_]old[-_]space[-_]size[= ](\d+)/.exec(options)?.[1];
  return mib === undefined ? Math.max(v8LimitBytes / 2, v8LimitBytes - YOUNG_BYTES) : Number(mib) * MIB;
}

function gauge(registry: Registry, name: string, help: string, bytes: number): void {
  new Gauge({ name, help, registers: [registry] }).set(bytes);
}
