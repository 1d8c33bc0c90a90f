import { Registry, collectDefaultMetrics } from 'prom-client';

/**
 * The series of Node itself (`process_*`, `nodejs_*`), one registry for the process: what collects them cannot be stopped, and one for each start
 * would keep that start's registry, and all that it reads, in memory for good.
 */
let registry: Registry | undefined;

export function processRegistry(): Registry {
  if (registry === undefined) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  return registry;
}
