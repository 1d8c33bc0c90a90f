import type { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { Candidates } from './candidates.ts';
import type { ClientComponents } from './components.ts';
import { clientMetrics } from './metrics.ts';
import type { ClientMetrics } from './metrics.ts';
import { RelayAccess } from './relay-access.ts';
import type { SupervisorSettings } from './settings.ts';

export interface ContextOptions {
  components: ClientComponents;
  log: Logger;
  registry: Registry;
  clock?: Clock;
  random?: () => number;
}

/** What the supervisor answers for. */
interface Hooks {
  readonly settings: () => SupervisorSettings;
  /** Of the current run. */
  readonly signal: () => AbortSignal;
  /** A candidate has changed: a decision is due. */
  readonly changed: () => void;
}

/** What the parts of the supervisor share. */
export interface ClientContext extends Hooks {
  readonly components: ClientComponents;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ClientMetrics;
  readonly candidates: Candidates;
  readonly access: RelayAccess;
}

export function makeContext({ components, log, registry, clock = systemClock, random = Math.random }: ContextOptions, hooks: Hooks): ClientContext {
  const metrics = clientMetrics(registry);
  const candidates = new Candidates(components.peerId, metrics);
  const access = new RelayAccess({
    components,
    clock,
    metrics,
    pingTimeoutMs: () => hooks.settings().probe.timeoutMs,
    isInUse: (peer) => candidates.get(peer.toString())?.keepsConnection ?? false,
  });
  return { ...hooks, components, clock, random, log, metrics, candidates, access };
}
