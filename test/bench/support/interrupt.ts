import { killAll } from '../../../scripts/lib/processes.ts';

let watching = false;

/** A benchmark that is interrupted leaves no relay and no load behind: they run in groups of their own. */
export function endChildrenOnSignals(): void {
  if (watching) return;
  watching = true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll();
      process.exit(1);
    });
  }
}
