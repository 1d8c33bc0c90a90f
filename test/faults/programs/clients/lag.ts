import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Lag } from './protocol.ts';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
const MIB = 1 << 20;

/** How late this process ran since the last {@link LagMeter.begin}: what it reports as slow may be its own doing. */
export class LagMeter {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpuAtBegin = process.cpuUsage();

  constructor() {
    this.#histogram.enable();
  }

  begin(): void {
    this.#histogram.reset();
    this.#cpuAtBegin = process.cpuUsage();
  }

  read(): Lag {
    const { user, system } = process.cpuUsage(this.#cpuAtBegin);
    const ms = (percent: number): number => Math.max(0, this.#histogram.percentile(percent) / NS_PER_MS - RESOLUTION_MS);
    return { p99Ms: ms(99), maxMs: ms(100), cpuSeconds: (user + system) / 1e6, rssMiB: process.memoryUsage.rss() / MIB };
  }
}
